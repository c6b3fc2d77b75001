/** A run of a fuzzer in words. */
import { inspect } from 'node:util';
import type { FuzzFinding, FuzzReport } from './run_target.ts';

/** An input is shown up to this length, characters: more than that nobody reads on a terminal. */
const MAX_INPUT_LENGTH = 4_000;

/** One line: how much was fed, and what was seen. */
export function reportLine({ target, cases, counts, seconds }: FuzzReport): string {
  const rate = Math.round(counts.inputs / Math.max(seconds, 0.001));
  return `${target}: ${counts.inputs} inputs in ${cases} cases, ${Math.round(seconds)} s, ${rate}/s; ${counts}`;
}

/** What did not hold, and the command that shows it again. */
export function findingText(target: string, { seed, message, input }: FuzzFinding): string {
  const shown = typeof input === 'string' ? input : inspect(input, { depth: 12, breakLength: 110 });
  return [
    `${target}: FOUND: ${message}`,
    ...(input === undefined ? [] : [`input: ${shown.slice(0, MAX_INPUT_LENGTH)}`]),
    `replay: npm run -s fuzz -- ${target} --seed ${seed} --cases 1`,
  ].join('\n');
}
