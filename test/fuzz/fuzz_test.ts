/** A fuzzer's share of CI: half a minute from a random seed, which is printed. */
import { expect, test } from 'vitest';
import { SEEDS } from './random.ts';
import { findingText, reportLine } from './report.ts';
import { type FuzzReport, runTarget } from './run_target.ts';
import type { FuzzTarget } from './target.ts';

/** In CI. `npm run fuzz` runs for as long as wanted. */
const CI_SECONDS = 30;

/** Besides its own time: opening, the last case, closing. */
const MARGIN_MS = 60_000;

/** Declares the test. `sees` checks that the run was not idle, such as that some inputs were accepted. */
export function fuzzTest(target: FuzzTarget, sees: (report: FuzzReport) => void): void {
  test(`${target.name}: ${target.about}`, { timeout: CI_SECONDS * 1000 + MARGIN_MS }, async () => {
    const seed = Math.floor(Math.random() * SEEDS);
    const report = await runTarget(target, { seed, seconds: CI_SECONDS });
    process.stdout.write(`seed ${seed}; ${reportLine(report)}\n`);
    expect(report.finding === undefined ? '' : findingText(target.name, report.finding)).toBe('');
    sees(report);
  });
}
