/**
 * The access that most pods have. Its addresses are a set beside the map of all others: an element of a map that leads to a chain has
 * the kernel check each element of all such maps, some 0.2 ms for each 1,000 of them, at every change of a pod. An element of a set
 * leads nowhere, so that nothing is checked.
 */
import type { Direction } from '../../../policy/index.ts';
import { type GateChange, type GatePlan, Pace, type Steps } from '../plan/index.ts';
import { ADDRESS_TYPES, chainName, FAMILIES, GATE_TABLE, HEADERS, WAYS } from './names.ts';

/** From so many pods on an access is worth a look-up of its own: with fewer, the check takes less than the rest of a change. */
export const COMMON_MIN = 1_024;

/** Ids of accesses by direction; absent where no access has pods enough. */
export type CommonAccesses = Readonly<Partial<Record<Direction, string>>>;

/** All pods are in the maps. */
export const NONE_COMMON: CommonAccesses = {};

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];

/** The common accesses of rules that are put in whole. @param min pods that make an access common */
export function* commonOf(plan: GatePlan, min = COMMON_MIN): Steps<CommonAccesses> {
  const found: { [direction in Direction]?: string } = {};
  for (const direction of DIRECTIONS) {
    const counts = new Counts();
    for (const family of FAMILIES) yield* counts.add(plan[direction].pods[family].values());
    const id = counts.most(min);
    if (id !== undefined) found[direction] = id;
  }
  return found;
}

/**
 * Those after some changes. An access stays common until nobody has it. Only one that is new takes the place: the elements of others
 * are in the map.
 */
export function* commonAfter(
  before: CommonAccesses,
  changes: readonly GateChange[],
  min = COMMON_MIN,
): Steps<CommonAccesses> {
  const found: { [direction in Direction]?: string } = {};
  for (const direction of DIRECTIONS) {
    const known = before[direction];
    const isGone = changes.some(
      (one) => one.kind === 'access-removed' && one.direction === direction && one.id === known,
    );
    const id = known === undefined || isGone ? yield* mostOfNew(direction, changes, min) : known;
    if (id !== undefined) found[direction] = id;
  }
  return found;
}

function* mostOfNew(
  direction: Direction,
  changes: readonly GateChange[],
  min: number,
): Steps<string | undefined> {
  const fresh = new Set<string>();
  for (const one of changes)
    if (one.kind === 'access-added' && one.direction === direction) fresh.add(one.id);
  if (fresh.size === 0) return undefined;
  const counts = new Counts();
  for (const one of changes) {
    if (one.kind !== 'pods' || one.direction !== direction) continue;
    yield* counts.add(one.added.flatMap(([, id]) => (fresh.has(id) ? [id] : [])));
  }
  return counts.most(min);
}

/** How many pods have which access. */
class Counts {
  readonly #counts = new Map<string, number>();

  *add(ids: Iterable<string>): Steps<void> {
    const pace = new Pace();
    for (const id of ids) {
      this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
      if (pace.isDue()) yield;
    }
  }

  /** The access that most have, if those are enough. */
  most(min: number): string | undefined {
    let found: string | undefined;
    let most = min - 1;
    for (const [id, count] of this.#counts) {
      if (count <= most) continue;
      found = id;
      most = count;
    }
    return found;
  }
}

/** The name of the set. */
export function commonSet(direction: Direction, family: (typeof FAMILIES)[number]): string {
  return `${WAYS[direction].name}_common${family}`;
}

/** The rules of an isolated direction's chain: from a peer's address to the chain of its access. */
export function lookUpRules(direction: Direction, common: CommonAccesses): readonly string[] {
  const way = WAYS[direction];
  const { name, peer } = way;
  const id = common[direction];
  return [
    // A virtual address that was not translated has no backend that may be reached; blocks do not count for it.
    ...(name === 'out'
      ? FAMILIES.map(
          (family) => `${HEADERS[family]} daddr . meta l4proto . th dport @services${family} goto out_deny`,
        )
      : []),
    ...(id === undefined
      ? []
      : FAMILIES.map(
          (family) =>
            `${HEADERS[family]} ${peer} @${commonSet(direction, family)} goto ${chainName(way, id)}`,
        )),
    ...FAMILIES.map((family) => `${HEADERS[family]} ${peer} vmap @${name}_pods${family}`),
    ...FAMILIES.map((family) => `${HEADERS[family]} ${peer} vmap @${name}_blocks${family}`),
    `goto ${name}_rest`,
  ];
}

/** Commands of nft(8) that lead from one common access of a direction to another, without the elements. */
export function commonCommands(before: CommonAccesses, after: CommonAccesses): readonly string[] {
  return DIRECTIONS.flatMap((direction) => {
    if (before[direction] === after[direction]) return [];
    const chain = `${GATE_TABLE} ${WAYS[direction].name}_isolated`;
    return [
      ...FAMILIES.map(
        (family) =>
          `add set ${GATE_TABLE} ${commonSet(direction, family)} { type ${ADDRESS_TYPES[family]}; }`,
      ),
      `flush chain ${chain}`,
      ...lookUpRules(direction, after).map((rule) => `add rule ${chain} ${rule}`),
    ];
  });
}
