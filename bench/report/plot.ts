/**
 * A bar chart as SVG: for each metric one bar a path, with the runs' spread. As ratio to a reference, or as it was measured where there is
 * none.
 */

import { ratiosOf } from './document.ts';
import { number, ratio as ratioText } from './format.ts';
import type { Measured, MeasuredMetric, Results } from './results.ts';

/** Lengths in pixels. */
const WIDTH = 760;
const LABEL_WIDTH = 170;
const VALUE_WIDTH = 60;
const BAR = 14;
const GAP = 4;
const TITLE = 30;
const MARGIN = 12;

const COLOURS: readonly string[] = [
  '#9aa0a6',
  '#5f6368',
  '#1a73e8',
  '#7baaf7',
  '#d93025',
  '#f29900',
  '#9334e6',
  '#137333',
  '#12b5cb',
  '#b80672',
  '#5bb974',
  '#a142f4',
];

/** The chart of a figure; undefined where nothing was measured. */
export function plot(figure: Measured, { paths }: Pick<Results, 'paths'>): string | undefined {
  const groups = figure.metrics.flatMap((metric) => groupOf(metric, Object.keys(paths)));
  if (groups.length === 0) return undefined;
  const lines: string[] = [];
  let y = MARGIN;
  for (const { title, reference, bars } of groups) {
    const against = reference === undefined ? '' : `, ratio to ${paths[reference] ?? reference}`;
    lines.push(text(MARGIN, y + TITLE / 2, title + against, 'font-weight="bold"'));
    y += TITLE;
    const most = Math.max(...bars.map((bar) => bar.most));
    const scale = reference === undefined ? most || 1 : Math.max(most, 1);
    for (const bar of bars) {
      lines.push(...drawn(bar, y, scale, paths));
      y += BAR + GAP;
    }
    y += MARGIN;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(figure.title)}</title>`,
    `<rect width="${WIDTH}" height="${y}" fill="#fff"/>`,
    ...lines,
    '</svg>',
    '',
  ].join('\n');
}

interface Bar {
  readonly path: string;
  readonly colour: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  /** The value, for people. */
  readonly shown: string;
}

interface Group {
  readonly title: string;
  /** Absent: the bars are no ratios. */
  readonly reference?: string;
  readonly bars: readonly Bar[];
}

function groupOf(metric: MeasuredMetric, order: readonly string[]): readonly Group[] {
  const colourOf = (path: string, index: number): string => {
    const place = order.indexOf(path);
    return COLOURS[(place === -1 ? index : place) % COLOURS.length] ?? '#000';
  };
  const title = `${metric.title} (${metric.better} is better)`;
  const [first] = Object.entries(ratiosOf(metric));
  if (first === undefined) {
    const bars = Object.entries(metric.paths).map(([path, { median, least, most }], index): Bar => {
      const shown = number(median);
      return { path, colour: colourOf(path, index), value: median, least, most, shown };
    });
    return bars.length === 0 ? [] : [{ title: `${title}, ${metric.unit}`, bars }];
  }
  const [reference, ratios] = first;
  const bars = Object.entries(ratios).map(([path, { ratio, least, most }], index): Bar => {
    return { path, colour: colourOf(path, index), value: ratio, least, most, shown: ratioText(ratio) };
  });
  return [{ title, reference, bars }];
}

function drawn(bar: Bar, y: number, scale: number, labels: Results['paths']): string[] {
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH - 2 * MARGIN;
  const x = (value: number) => Math.round(MARGIN + LABEL_WIDTH + (value / scale) * room);
  const middle = y + BAR / 2;
  return [
    text(MARGIN, y + BAR - 3, labels[bar.path] ?? bar.path),
    `<rect x="${x(0)}" y="${y}" width="${x(bar.value) - x(0)}" height="${BAR}" fill="${bar.colour}"/>`,
    `<path d="M${x(bar.least)} ${middle}H${x(bar.most)}" stroke="#202124" stroke-width="2"/>`,
    text(x(Math.max(bar.most, bar.value)) + 6, y + BAR - 3, bar.shown),
  ];
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}"${attributes === '' ? '' : ` ${attributes}`}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
