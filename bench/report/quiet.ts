/** What the page says of others at work on the machine. */
import { QUIET_SHARE } from '../quiet/watch.ts';
import type { Measured, Results } from './results.ts';

/** Above this load average somebody else was at work. */
const QUIET_LOAD = 0.5;

/** So many runs of all may have been disturbed: medians bear that. */
const DISTURBED_SHARE = 0.05;

/** One warning where the machine was not quiet before the run, or during more than a few of its runs; else none. */
export function warnings({ machine, figures }: Results): readonly string[] {
  const { loadBefore, othersBefore = 0 } = machine;
  const runs = sum(figures, ({ quiet }) => quiet?.runs ?? 0);
  const disturbed = sum(figures, ({ quiet }) => quiet?.disturbed ?? 0);
  const reasons = [
    ...(loadBefore > QUIET_LOAD ? [`its load was ${loadBefore} before the run`] : []),
    ...(othersBefore > QUIET_SHARE
      ? [`others used ${percent(othersBefore)} of its processors before the run`]
      : []),
    ...(disturbed > runs * DISTURBED_SHARE
      ? [`others used more than ${percent(QUIET_SHARE)} during ${disturbed} of ${runs} runs`]
      : []),
  ];
  if (reasons.length === 0) return [];
  return [`> The machine was not quiet: ${reasons.join('; ')}. Take these figures as provisional.`];
}

/** A sentence where others were at work during a figure. */
export function disturbance({ quiet }: Measured): string {
  if (quiet === undefined || quiet.repeated + quiet.disturbed === 0) return '';
  const { runs, disturbed, repeated, most } = quiet;
  return ` Runs that were made again because others were at work on the machine: ${repeated}; so disturbed were ${disturbed} of the ${runs} runs that count, with at most ${percent(most)} of the processors used by others.`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function sum<T>(list: readonly T[], value: (item: T) => number): number {
  return list.reduce((total, item) => total + value(item), 0);
}
