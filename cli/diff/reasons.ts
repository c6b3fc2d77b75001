/** Why connections change: the rules that open what was closed, and those that opened what is closed now. */
import { isDeepStrictEqual } from 'node:util';
import { unreachable } from '../../common/errors.ts';
import { type Cluster, type Direction, objectKey } from '../../policy/index.ts';
import { describePlace, type Place } from '../../sources/index.ts';
import {
  type Directions,
  difference,
  directionsOf,
  type Isolation,
  intersection,
  type PortSet,
  type Stance,
} from '../connectivity/index.ts';
import type { GroupChange } from './compare.ts';
import type { createPolicyPlaces } from './policy_places.ts';
import { createRuleChanges, type HowChanged, type RuleChange } from './rule_changes.ts';

/** Where a policy or rule stands; absent: it comes from no file. */
type Standing = Partial<Place>;

/** One reason. */
export type Reason =
  /** A rule that opens ports on one side only. `same`: it is as it was, and pods or namespaces are not. */
  | ({
      readonly kind: 'rule';
      readonly direction: Direction;
      readonly policy: string;
      readonly rule: number;
    } & RuleChange &
      Standing)
  /** A policy isolates the end that nothing isolated before; or it did, and nothing does any more. */
  | ({
      readonly kind: 'isolated' | 'freed';
      readonly direction: Direction;
      readonly policy: string;
      readonly how: HowChanged;
    } & Standing)
  /** One of the two ends is on one side only. */
  | { readonly kind: 'end-added' | 'end-removed'; readonly end: 'from' | 'to' }
  /** Both ends have addresses of one IP version on one side only. */
  | { readonly kind: 'addresses' };

/** Finds reasons for changes between two clusters. @param placeOf where policies stand; default nowhere */
export function createReasons(
  before: Cluster,
  after: Cluster,
  placeOf: ReturnType<typeof createPolicyPlaces> = () => undefined,
): (change: GroupChange) => readonly Reason[] {
  const changes = new Map<string, HowChanged>();
  const ruleChange = createRuleChanges(before, after);
  const policyChange = (key: string): HowChanged => {
    const known = changes.get(key) ?? compared(before.policies.get(key), after.policies.get(key));
    changes.set(key, known);
    return known;
  };

  /**
   * What on one side opens ports that the other side of the comparison does not.
   * @param kind why, where nothing isolates on this side and the policies of the other do
   */
  const opened = (
    kind: 'isolated' | 'freed',
    direction: Direction,
    { isolation, peer }: DirectionView,
    other: Isolation | undefined,
    ports: PortSet,
  ): readonly Reason[] => {
    if (ports.ranges.length === 0) return [];
    const [side, otherSide] =
      kind === 'freed' ? (['after', 'before'] as const) : (['before', 'after'] as const);
    if (isolation === undefined)
      return (other?.policies ?? []).map(({ namespace, name }) => {
        const policy = objectKey(namespace, name);
        return {
          kind,
          direction,
          policy,
          how: policyChange(policy),
          ...placeOf({ side: otherSide, policy }),
        };
      });
    return isolation
      .openings(peer)
      .filter((opening) => intersection(opening.ports, ports).ranges.length > 0)
      .map(({ rule: { policy: ref, index } }) => {
        const policy = objectKey(ref.namespace, ref.name);
        return {
          kind: 'rule',
          direction,
          policy,
          rule: index,
          ...ruleChange({ side, policy, direction, index }),
          ...placeOf({ side, policy, rule: { direction, index } }),
        };
      });
  };

  const reasonsIn = (
    direction: Direction,
    was: DirectionView,
    is: DirectionView,
    { gained, lost }: { readonly gained: PortSet; readonly lost: PortSet },
  ): readonly Reason[] =>
    decisive([
      // What was closed before in this direction, and is open.
      ...opened('freed', direction, is, was.isolation, difference(gained, was.ports)),
      ...opened('isolated', direction, was, is.isolation, difference(lost, is.ports)),
    ]);

  return ({ from, to, before: old, after: now }) => {
    if (to.before === undefined) return [{ kind: 'end-added', end: 'to' }];
    if (from.before === undefined) return [{ kind: 'end-added', end: 'from' }];
    if (to.after === undefined) return [{ kind: 'end-removed', end: 'to' }];
    if (from.after === undefined) return [{ kind: 'end-removed', end: 'from' }];
    const change = { gained: difference(now, old), lost: difference(old, now) };
    const was = directionsOf(from.before, to.before);
    const is = directionsOf(from.after, to.after);
    const found = [
      ...reasonsIn('egress', egressView(from.before, was), egressView(from.after, is), change),
      ...reasonsIn('ingress', ingressView(to.before, was), ingressView(to.after, is), change),
    ];
    return found.length > 0 ? found : [{ kind: 'addresses' }];
  };
}

/** One direction of a connection on one side. */
interface DirectionView {
  readonly isolation: Isolation | undefined;
  readonly ports: PortSet;
  readonly peer: Directions['source'];
}

function egressView({ egress }: Stance, { egress: ports, destination }: Directions): DirectionView {
  return { isolation: egress, ports, peer: destination };
}

function ingressView({ ingress }: Stance, { ingress: ports, source }: Directions): DirectionView {
  return { isolation: ingress, ports, peer: source };
}

/** Rules and policies that are as they were explain only what no other explains. */
function decisive(reasons: readonly Reason[]): readonly Reason[] {
  const changed = reasons.filter((reason) => 'how' in reason && reason.how !== 'same');
  return changed.length > 0 ? changed : reasons;
}

function compared<T>(before: T | undefined, after: T | undefined): HowChanged {
  if (before === undefined) return 'added';
  if (after === undefined) return 'removed';
  return isDeepStrictEqual(before, after) ? 'same' : 'changed';
}

/** Reasons that are printed of one change. */
const SHOWN_REASONS = 2;

/** How reasons are written. */
export interface ReasonStyle {
  /** Whether all are named. */
  readonly isWide: boolean;
  /** Whether places in files go with them. */
  readonly hasPlaces: boolean;
}

/** For people. */
export function reasonsText(reasons: readonly Reason[], { isWide, hasPlaces }: ReasonStyle): string {
  const texts = [
    ...new Set(reasons.map((reason) => `${reasonText(reason)}${hasPlaces ? placeText(reason) : ''}`)),
  ];
  const shown = texts.slice(0, isWide || texts.length === SHOWN_REASONS + 1 ? texts.length : SHOWN_REASONS);
  const more = texts.length - shown.length;
  return `${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

/** ` (web.yaml:12:5)`, or nothing. */
function placeText(reason: Reason): string {
  if (!('file' in reason)) return '';
  const { file, line, column } = reason;
  return file === undefined || line === undefined || column === undefined
    ? ''
    : ` (${describePlace({ file, line, column })})`;
}

function reasonText(reason: Reason): string {
  switch (reason.kind) {
    case 'rule': {
      const { policy, direction, rule, how, field } = reason;
      const named = `${policy} ${direction}[${rule}]`;
      if (field !== undefined) return `${named}, ${field} changed`;
      return how === 'same' ? `${named}, by other labels or ports` : `${named} ${how}`;
    }
    case 'isolated':
      return `${reason.direction} isolated by ${reason.policy}${howText(reason.how)}`;
    case 'freed':
      return `${reason.direction} no longer isolated by ${reason.policy}${howText(reason.how)}`;
    case 'end-added':
      return `${endText(reason.end)} is new`;
    case 'end-removed':
      return `${endText(reason.end)} is gone`;
    case 'addresses':
      return 'other addresses';
    default:
      return unreachable(reason);
  }
}

function endText(end: 'from' | 'to'): string {
  return end === 'from' ? 'the source' : 'the destination';
}

function howText(how: HowChanged): string {
  return how === 'same' ? '' : ` (${how})`;
}
