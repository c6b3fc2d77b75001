/** The JSON form of a comparison: docs/schema/diff.v1.json. */
import { type ComparedEnd, difference, endJson, isSingle, type PortSet } from '../connectivity/index.ts';
import { CHANGES } from './compare.ts';
import type { Reason } from './reasons.ts';
import type { Report } from './report.ts';

/** Names the form. */
export const DIFF_SCHEMA = 'sluice.dev/diff/v1';

/** Changes that are listed, pair by pair. A pull request that changes more is read by its rows. */
const MAX_CHANGES = 10_000;

/** Plain data for `JSON.stringify`. */
export function diffJson({ before, after, comparison, reasonsOf, notes }: Report) {
  const total = CHANGES.reduce((sum, change) => sum + comparison.counts[change], 0);
  const changes: ReturnType<typeof changeJson>[] = [];
  for (const one of comparison.changes) {
    if (changes.length >= MAX_CHANGES) break;
    const because = reasonsOf(one);
    for (const from of one.from.ends)
      for (const to of one.to.ends) {
        if (changes.length >= MAX_CHANGES || (from === to && isSingle(from))) continue;
        changes.push(changeJson(one.change, from, to, one.before, one.after, because));
      }
  }
  return {
    schema: DIFF_SCHEMA,
    before,
    after,
    counts: {
      wider: comparison.counts.wider,
      changed: comparison.counts.changed,
      narrower: comparison.counts.narrower,
      unchanged: comparison.unchanged,
    },
    changes,
    ...(total > changes.length ? { left_out: total - changes.length } : {}),
    ...(notes.length === 0 ? {} : { notes }),
  };
}

function changeJson(
  change: string,
  from: ComparedEnd,
  to: ComparedEnd,
  before: PortSet,
  after: PortSet,
  because: readonly Reason[],
) {
  return {
    change,
    from: endJson(from),
    to: endJson(to),
    before: before.ranges,
    after: after.ranges,
    gained: difference(after, before).ranges,
    lost: difference(before, after).ranges,
    because,
  };
}
