/** Changes put together as people read them: many ends in one row where the change and its reason are the same. */
import {
  type ComparedEnd,
  createEndNames,
  difference,
  isShownWhole,
  type PortSet,
  portsText,
} from '../connectivity/index.ts';
import { CHANGES, type Change, type EndGroup, type GroupChange } from './compare.ts';
import { type Reason, reasonsText } from './reasons.ts';

/** One row. */
export interface Row {
  readonly change: Change;
  readonly from: string;
  readonly to: string;
  /** Such as `TCP/80 -> TCP`. */
  readonly ports: string;
  readonly reasons: string;
  /** Pairs of ends that it stands for. */
  readonly pairs: number;
}

interface Alike {
  readonly change: Change;
  readonly before: PortSet;
  readonly after: PortSet;
  readonly reasons: string;
  readonly sources: Map<EndGroup, EndGroup[]>;
}

/** Wider first, then by name. */
export function rowsOf(
  changes: readonly GroupChange[],
  reasonsOf: (change: GroupChange) => readonly Reason[],
  all: readonly ComparedEnd[],
): readonly Row[] {
  const names = createEndNames(all);
  const order = new Map(all.map((end, at) => [end, at]));
  const place = (end: ComparedEnd) => order.get(end) ?? 0;
  const endsOf = (groups: readonly EndGroup[]) =>
    groups.flatMap(({ ends }) => ends).sort((a, b) => place(a) - place(b));
  const rows = alike(changes, reasonsOf).flatMap(({ change, before, after, reasons, sources }) =>
    [...bySources(sources).values()].map((group): Row => {
      const [from, to] = [endsOf(group.sources), endsOf(group.destinations)];
      return {
        change,
        from: names.text(from),
        to: names.text(to),
        ports: changeText(before, after),
        reasons,
        pairs: from.length * to.length,
      };
    }),
  );
  return rows.sort(
    (a, b) =>
      CHANGES.indexOf(a.change) - CHANGES.indexOf(b.change) ||
      compareTexts(a.to, b.to) ||
      compareTexts(a.from, b.from) ||
      compareTexts(a.ports, b.ports),
  );
}

function alike(
  changes: readonly GroupChange[],
  reasonsOf: (change: GroupChange) => readonly Reason[],
): readonly Alike[] {
  const found = new Map<string, Alike>();
  for (const one of changes) {
    const { change, before, after, from, to } = one;
    const reasons = reasonsText(reasonsOf(one));
    const key = JSON.stringify([change, before.key, after.key, reasons]);
    const known = found.get(key) ?? { change, before, after, reasons, sources: new Map() };
    found.set(key, known);
    const sources = known.sources.get(to);
    if (sources === undefined) known.sources.set(to, [from]);
    else sources.push(from);
  }
  return [...found.values()];
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

interface Block {
  readonly sources: readonly EndGroup[];
  readonly destinations: EndGroup[];
}

/** Destinations with the same sources stand in one row. */
function bySources(sources: ReadonlyMap<EndGroup, readonly EndGroup[]>): ReadonlyMap<string, Block> {
  const numbers = new Map<EndGroup, number>();
  const numberOf = (group: EndGroup): number => {
    const known = numbers.get(group) ?? numbers.size;
    numbers.set(group, known);
    return known;
  };
  const blocks = new Map<string, Block>();
  for (const [destination, own] of sources) {
    const key = own.map(numberOf).join();
    const block = blocks.get(key) ?? { sources: own, destinations: [] };
    block.destinations.push(destination);
    blocks.set(key, block);
  }
  return blocks;
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
