/** Whether programs hold at the end what they held at the baseline. */
import { type Reading, RSS } from './readings.ts';

/** What may differ from the baseline: the case's 5 %. */
const SHARE = 0.05;

/**
 * What any count may differ: of few things one is more than 5 %, and a sidecar's tasks come and go. What leaks with the churn
 * is soon more.
 */
const FEW = 1;

const MIB = 1024 * 1024;

/**
 * What each program holds more or less than at the baseline than it may, a sentence each.
 * @param rssAllowanceBytes what resident memory may differ in addition
 */
export function drift(
  baseline: ReadonlyMap<string, Reading>,
  last: ReadonlyMap<string, Reading>,
  rssAllowanceBytes: number,
): readonly string[] {
  return [...baseline].flatMap(([program, before]) =>
    [...before].flatMap(([name, value]) => {
      const now = last.get(program)?.get(name) ?? Number.NaN;
      const allowed = Math.max(FEW, SHARE * value) + (name === RSS ? rssAllowanceBytes : 0);
      if (Math.abs(now - value) <= allowed) return [];
      return [`${program}: ${name} ${shown(name, value)} at the baseline, ${shown(name, now)} at the end`];
    }),
  );
}

/** A value for people. */
export function shown(name: string, value: number): string {
  return name === RSS ? `${(value / MIB).toFixed(1)} MiB` : String(value);
}
