/** Measures figures on paths, in turn. */
import type { Figure, Scale } from './figures/figure.ts';
import type { Path } from './paths/path.ts';
import type { Measured } from './report/results.ts';
import type { Rig } from './rig.ts';
import { summarize } from './statistics.ts';

/** What to measure. */
export interface Suite {
  readonly figures: readonly Figure[];
  /** The ordinary paths. */
  readonly paths: readonly Path[];
  readonly scale: Scale;
  readonly progress: (line: string) => void;
}

/** All paths that a suite needs: the ordinary ones, and those that only one of its figures has. */
export function pathsOf({ figures, paths }: Pick<Suite, 'figures' | 'paths'>): readonly Path[] {
  return [...paths, ...figures.flatMap((figure) => figure.ownPaths ?? [])];
}

/** Measures all figures. @throws whatever a run throws: a figure with a failed run says nothing */
export async function measureAll(rig: Rig, suite: Suite): Promise<readonly Measured[]> {
  const measured: Measured[] = [];
  for (const figure of suite.figures) measured.push(await measure(rig, figure, suite));
  return measured;
}

/**
 * A, B, A, B, … and each round starts with another path, so that what drifts, or what one run leaves behind for the
 * next, does not always meet the same one.
 */
async function measure(
  rig: Rig,
  figure: Figure,
  { paths: chosen, scale, progress }: Suite,
): Promise<Measured> {
  const startedAt = performance.now();
  const paths = figure.paths(chosen);
  for (const path of paths) await figure.prepare?.(rig, path);
  const runs = new Map<string, Map<string, number[]>>();
  for (let round = 0; round < scale.rounds; round += 1) {
    for (const path of rotated(paths, round)) {
      rig.signal.throwIfAborted();
      await rig.measureOnly(path);
      const sample = await figure.measure(rig, path, scale);
      progress(`${figure.name} ${round + 1}/${scale.rounds} ${path.name}: ${described(sample)}`);
      for (const [id, value] of Object.entries(sample)) listOf(runs, id, path.name).push(value);
    }
  }
  return {
    name: figure.name,
    title: figure.title,
    method: figure.method,
    seconds: Math.round((performance.now() - startedAt) / 1000),
    metrics: figure.metrics(scale).map((metric) => ({
      ...metric,
      paths: Object.fromEntries(
        paths.flatMap(({ name }) => {
          const values = runs.get(metric.id)?.get(name);
          return values === undefined ? [] : [[name, summarize(values)]];
        }),
      ),
    })),
  };
}

function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const start = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

function listOf(runs: Map<string, Map<string, number[]>>, id: string, path: string): number[] {
  const byPath = runs.get(id) ?? new Map<string, number[]>();
  runs.set(id, byPath);
  const list = byPath.get(path) ?? [];
  byPath.set(path, list);
  return list;
}

function described(sample: Readonly<Record<string, number>>): string {
  return Object.entries(sample)
    .map(([id, value]) => `${id} ${value.toPrecision(3)}`)
    .join(', ');
}
