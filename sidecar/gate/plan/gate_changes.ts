/** The difference between two plans of the gate, as a list of changes. The writers in `gate/kernel/` bring them to the kernel. */
import type { Direction } from '../../../policy/index.ts';
import type { Access } from './access.ts';
import type { Family } from './address_ranges.ts';
import type { AccessIds, DirectionPlan, GatePlan } from './plan.ts';
import { translates } from './service_plan.ts';
import { Pace, type Steps } from './steps.ts';

/** An address, or a range of addresses, and the id of its access. */
type PeerAccess = readonly [peer: string, access: string];

/** One change. */
export type GateChange =
  /** An access that peers may have from now on. */
  | {
      readonly kind: 'access-added';
      readonly direction: Direction;
      readonly id: string;
      readonly access: Access;
    }
  /** An access that no peer has any more. */
  | { readonly kind: 'access-removed'; readonly direction: Direction; readonly id: string }
  /** All elements of a set of addresses, in place of those that it has. */
  | {
      readonly kind: 'addresses';
      readonly set: 'node' | 'injector' | 'own';
      readonly elements: readonly string[];
    }
  /** Policies isolate the pod in this direction, or do not any more. */
  | { readonly kind: 'isolation'; readonly direction: Direction; readonly isolated: boolean }
  /** Denied peers are noted, since they may be members of partial groups; or are not any more. */
  | { readonly kind: 'unmet'; readonly direction: Direction; readonly noted: boolean }
  /** The access of everybody who is neither a pod nor in a block. */
  | { readonly kind: 'rest'; readonly direction: Direction; readonly access: string }
  /** Pods, or blocks, that came and went; one with another access did both. */
  | {
      readonly kind: 'pods' | 'blocks';
      readonly direction: Direction;
      readonly family: Family;
      readonly removed: readonly PeerAccess[];
      readonly added: readonly PeerAccess[];
    }
  /** The first backend of a Service came, or the last one went. */
  | { readonly kind: 'translation'; readonly translates: boolean };

const DIRECTIONS: readonly Direction[] = ['ingress', 'egress'];
const FAMILIES: readonly Family[] = [4, 6];

/**
 * What leads from the plan in force to the next, without the elements of Services, which `ServicePlan.ports` has. The kernel can
 * take the changes in this order: an access is added before the elements that lead to it, and removed after them. What is the
 * same object in both plans is not looked into.
 * @param before `undefined`: a table that is new and empty
 */
export function* gateChanges(before: GatePlan | undefined, after: GatePlan): Steps<readonly GateChange[]> {
  const ways = DIRECTIONS.map((direction) => [direction, before?.[direction], after[direction]] as const);
  const changed: GateChange[] = [];
  for (const [direction, from, to] of ways) changed.push(...(yield* changedDirection(direction, from, to)));
  return [
    ...ways.flatMap(([direction, from, to]) => addedAccesses(direction, from, to)),
    ...changedAddresses(before, after),
    ...changed,
    ...changedTranslation(before, after),
    ...ways.flatMap(([direction, from, to]) => removedAccesses(direction, from, to)),
  ];
}

function addedAccesses(
  direction: Direction,
  before: DirectionPlan | undefined,
  { accesses }: DirectionPlan,
): readonly GateChange[] {
  const changes: GateChange[] = [];
  for (const [id, known, access] of accesses.since(before?.accesses)) {
    // The same id is the same access.
    if (known === undefined && access !== undefined)
      changes.push({ kind: 'access-added', direction, id, access });
  }
  return changes;
}

function removedAccesses(
  direction: Direction,
  before: DirectionPlan | undefined,
  { accesses }: DirectionPlan,
): readonly GateChange[] {
  const changes: GateChange[] = [];
  for (const [id, , access] of accesses.since(before?.accesses)) {
    if (access === undefined) changes.push({ kind: 'access-removed', direction, id });
  }
  return changes;
}

function changedAddresses(before: GatePlan | undefined, after: GatePlan): readonly GateChange[] {
  const changes: GateChange[] = [];
  if (before?.nodeIPs.join() !== after.nodeIPs.join())
    changes.push({ kind: 'addresses', set: 'node', elements: after.nodeIPs });
  // A table has no such set where tables do not come over the network: then no plan has injectors.
  if ((before?.injectors ?? []).join() !== after.injectors.join())
    changes.push({ kind: 'addresses', set: 'injector', elements: after.injectors });
  if (before?.ownIPs.join() !== after.ownIPs.join())
    changes.push({ kind: 'addresses', set: 'own', elements: after.ownIPs });
  return changes;
}

function* changedDirection(
  direction: Direction,
  before: DirectionPlan | undefined,
  after: DirectionPlan,
): Steps<readonly GateChange[]> {
  const changes: GateChange[] = [];
  if (before?.isolated !== after.isolated)
    changes.push({ kind: 'isolation', direction, isolated: after.isolated });
  if ((before?.hasPartial ?? false) !== after.hasPartial)
    changes.push({ kind: 'unmet', direction, noted: after.hasPartial });
  if (before?.rest !== after.rest) changes.push({ kind: 'rest', direction, access: after.rest });
  for (const family of FAMILIES) {
    for (const kind of ['pods', 'blocks'] as const) {
      const { added, removed } = yield* changedPairs(before?.[kind][family], after[kind][family]);
      if (added.length + removed.length > 0) changes.push({ kind, direction, family, removed, added });
    }
  }
  return changes;
}

/** Entries that came and went; one whose value is another did both. */
function* changedPairs(
  before: AccessIds | undefined,
  after: AccessIds,
): Steps<{ readonly removed: readonly PeerAccess[]; readonly added: readonly PeerAccess[] }> {
  const removed: PeerAccess[] = [];
  const added: PeerAccess[] = [];
  const pace = new Pace();
  for (const [peer, known, access] of after.since(before)) {
    if (pace.isDue()) yield;
    if (known !== undefined) removed.push([peer, known]);
    if (access !== undefined) added.push([peer, access]);
  }
  return { removed, added };
}

function changedTranslation(before: GatePlan | undefined, { egress }: GatePlan): readonly GateChange[] {
  const did = before !== undefined && translates(before.egress.services);
  const does = translates(egress.services);
  return did === does ? [] : [{ kind: 'translation', translates: does }];
}
