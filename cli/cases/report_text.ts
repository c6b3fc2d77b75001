/** Results for people, a line for each case and more for each that is not as expected. */
import { printable } from '../../common/printable.ts';
import { describePlace } from '../../sources/index.ts';
import type { Output } from '../output.ts';
import type { Style } from '../terminal/index.ts';
import { explanation, reasonText } from './explain.ts';
import { type CaseResult, countsOf, resultTitle } from './result.ts';

/** How. */
export interface TextOptions {
  readonly style: Style;
  /** With the line that counts. */
  readonly headers: boolean;
  /** Where packets were sent. */
  readonly lab: string | undefined;
}

/** Cases are judged one after another and may be many: they are written one by one. */
export async function writeText(
  results: readonly CaseResult[],
  stdout: Output,
  { style, headers, lab }: TextOptions,
): Promise<void> {
  for (const [at, result] of results.entries()) {
    const isPass = result.result === 'pass';
    const lead = isPass ? style('green', 'ok') : style('red', 'not ok');
    const by = isPass ? ` (${[reasonText(result), ...slowest(result)].join('; ')})` : '';
    const first = ` ${at + 1} ${printable(resultTitle(result))}${printable(by)}\n`;
    const readerIsThere = await stdout.write(`${first}${isPass ? '' : details(result)}`, lead);
    if (!readerIsThere) return;
  }
  if (headers) await stdout.write(footer(results, lab));
}

/** How long the slowest of its connections took, where it is known of all. */
function slowest(result: CaseResult): readonly string[] {
  const probes = result.result === 'error' ? [] : (result.packets?.probes ?? []);
  const times = probes.flatMap(({ ms }) => (ms === undefined ? [] : [ms]));
  return times.length === 0 || times.length < probes.length ? [] : [`${Math.round(Math.max(...times))} ms`];
}

function details(result: CaseResult): string {
  const lines = [describePlace(result.case.place), ...explanation(result).split('\n')];
  return lines
    .filter((line) => line !== '')
    .map((line) => `  ${line}\n`)
    .join('');
}

function footer(results: readonly CaseResult[], lab: string | undefined): string {
  const { cases, passed, failed, errors } = countsOf(results);
  const parts = [
    ...(passed > 0 ? [`${passed} as expected`] : []),
    ...(failed > 0 ? [`${failed} not`] : []),
    ...(errors > 0 ? [`${errors} not judged`] : []),
  ];
  const by = lab === undefined ? '' : ` by packets in lab ${lab}`;
  return `${cases} ${cases === 1 ? 'case' : 'cases'}${by}: ${parts.join(', ')}\n`;
}
