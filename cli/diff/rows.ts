/** Changes put together as people read them: many ends in one row where the change and its reason are the same. */
import { compareTexts } from '../../policy/index.ts';
import {
  type ComparedEnd,
  createEndNames,
  difference,
  type EndGroup,
  isShownWhole,
  joinPairs,
  type PortSet,
  portsText,
} from '../connectivity/index.ts';
import { CHANGES, type Change, type GroupChange } from './compare.ts';
import { type Reason, type ReasonStyle, reasonsText } from './reasons.ts';

/** One row. */
export interface Row {
  readonly change: Change;
  readonly from: string;
  readonly to: string;
  /** Such as `TCP/80 -> TCP`. */
  readonly ports: string;
  readonly reasons: string;
}

/** Wider first, then by name. */
export function rowsOf(
  changes: readonly GroupChange[],
  reasonsOf: (change: GroupChange) => readonly Reason[],
  all: readonly ComparedEnd[],
  style: ReasonStyle,
): readonly Row[] {
  const names = createEndNames(all, style.isWide);
  const pairs = changes.map((one) => ({ ...one, reasons: reasonsText(reasonsOf(one), style) }));
  const joined = joinPairs<EndGroup, (typeof pairs)[number]>(pairs, ({ change, before, after, reasons }) =>
    JSON.stringify([change, before.key, after.key, reasons]),
  );
  const rows = joined.map(({ alike: { change, before, after, reasons }, from, to }): Row => {
    return {
      change,
      from: names.text(names.endsOf(from)),
      to: names.text(names.endsOf(to)),
      ports: changeText(before, after),
      reasons,
    };
  });
  return rows.sort(
    (a, b) =>
      CHANGES.indexOf(a.change) - CHANGES.indexOf(b.change) ||
      compareTexts(a.to, b.to) ||
      compareTexts(a.from, b.from) ||
      compareTexts(a.ports, b.ports),
  );
}

/** Of sets that are printed in part only, what differs: else it might be what is left out. */
function changeText(before: PortSet, after: PortSet): string {
  if (isShownWhole(before) && isShownWhole(after)) return `${portsText(before)} -> ${portsText(after)}`;
  const [gained, lost] = [difference(after, before), difference(before, after)];
  return [
    ...(gained.ranges.length === 0 ? [] : [`+ ${portsText(gained)}`]),
    ...(lost.ranges.length === 0 ? [] : [`- ${portsText(lost)}`]),
  ].join(' ');
}
