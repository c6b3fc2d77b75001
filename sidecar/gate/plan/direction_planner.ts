/** Plans one direction of one table after the other. A change costs what it touches; other rules cost one look at each peer. */

import { PersistentMap } from '../../../common/persistent_map.ts';
import type { Direction, Table, TableGroups } from '../../../policy/index.ts';
import { familyOf } from '../../../policy/index.ts';
import { AccessUsers } from './access_users.ts';
import type { Family } from './address_ranges.ts';
import { GroupMembers } from './group_members.ts';
import { PeerPorts } from './peer_ports.ts';
import type { AccessIds, DirectionPlan } from './plan.ts';
import { type NamedAccess, RULE_SET_BOUNDS, type RuleSetBounds } from './rule_sets.ts';
import { haveSameRules, type RulesView, viewOf } from './rules_view.ts';
import { NO_SERVICES, type ServicePlan } from './service_plan.ts';
import { ServicePlanner } from './service_planner.ts';
import { Pace, type Steps } from './steps.ts';

const FAMILIES: readonly Family[] = [4, 6];
const NO_GROUPS: TableGroups = new Map();
const NO_IDS: AccessIds = PersistentMap.from<string>([]);

/** What is known of the last table. */
class Known {
  readonly members = new GroupMembers();
  readonly ports = new PeerPorts();
  readonly users = new AccessUsers();
  view: RulesView | undefined;
  subject: Table['subject'] | undefined;
  services: ServicePlanner | undefined;
  plan: DirectionPlan | undefined;
}

/** Plans one direction; remembers the last table. */
export class DirectionPlanner {
  readonly #direction: Direction;
  readonly #untranslated: string | undefined;
  readonly #bounds: RuleSetBounds;
  /** `undefined` before the first table, and while a plan is being made: one that nobody finishes leaves nothing behind. */
  #known: Known | undefined;

  /** @param untranslated as `ServicePlanner` has it */
  constructor(direction: Direction, untranslated?: string, bounds: RuleSetBounds = RULE_SET_BOUNDS) {
    this.#direction = direction;
    this.#untranslated = untranslated;
    this.#bounds = bounds;
  }

  /** The plan of a table. What says the same as in the plan before is the same object. */
  *plan(table: Table): Steps<DirectionPlan> {
    const known = this.#known ?? new Known();
    this.#known = undefined;
    const before = known.plan;
    let plan = yield* this.#planned(table, known);
    // Sets of members that came and went fill the bounds too: what is there now may fit.
    if (plan.isOverBounds && before?.isOverBounds === false) {
      known.view = undefined;
      plan = yield* this.#planned(table, known);
    }
    this.#known = known;
    return plan;
  }

  *#planned(table: Table, known: Known): Steps<DirectionPlan> {
    const { isolating, rules } = table[this.#direction];
    const { members, ports, users, plan: before, view: last } = known;
    const isSame = last !== undefined && haveSameRules(last.rules, rules);
    const view = isSame ? last : yield* viewOf(this.#direction, rules, this.#bounds);
    const touched = new Set<string>();
    yield* members.follow(view.byGroup, table.groups, touched);
    yield* ports.follow(view.namesPorts ? table.groups : NO_GROUPS, touched);
    known.view = view;
    const pods = yield* podsOf(isSame ? touched : candidates(known, touched), known, view);
    const others = isSame && before !== undefined ? before : yield* othersOf(known, view);
    const isolated = isolating.length > 0;
    const services = yield* this.#servicesOf(table, isolated, known, view, isSame ? touched : undefined);
    const plan: DirectionPlan = {
      isolated,
      rest: others.rest,
      pods,
      blocks: others.blocks,
      services,
      accesses: users.inUse(),
      hasPartial: [...view.byGroup.keys()].some((id) => table.groups.get(id)?.partial === true),
      isOverBounds: view.sets.isOverBounds,
    };
    known.plan = before !== undefined && saySame(before, plan) ? before : plan;
    return known.plan;
  }

  /** @param touched addresses whose access may be another; `undefined`: any address */
  *#servicesOf(
    table: Table,
    isolated: boolean,
    known: Known,
    view: RulesView,
    touched: ReadonlySet<string> | undefined,
  ): Steps<ServicePlan> {
    if (this.#direction === 'ingress' || !isolated) {
      known.services = undefined;
      return NO_SERVICES;
    }
    known.services ??= new ServicePlanner(this.#untranslated);
    const isSubjectSame = known.subject === table.subject;
    known.subject = table.subject;
    return yield* known.services.plan(table, isSubjectSame ? touched : undefined, (address) =>
      accessOf(address, known, view),
    );
  }
}

/** Addresses that have an access of their own, and those that may have had one; each once. */
function* candidates({ members, ports }: Known, touched: ReadonlySet<string>): Iterable<string> {
  yield* members.addresses();
  for (const address of ports.addresses()) if (!members.has(address)) yield address;
  for (const address of touched) {
    if (!members.has(address) && ports.of(address).length === 0) yield address;
  }
}

/** The accesses of pods, with those of these addresses brought up to date. */
function* podsOf(addresses: Iterable<string>, known: Known, view: RulesView): Steps<DirectionPlan['pods']> {
  const { members, ports, users } = known;
  const before = known.plan?.pods ?? { 4: NO_IDS, 6: NO_IDS };
  const pods = { 4: before[4].draft(), 6: before[6].draft() };
  const pace = new Pace();
  for (const address of addresses) {
    if (pace.isDue()) yield;
    const family = familyOf(address);
    const old = before[family].get(address);
    // Access of a pod that a rule selects, or whose named ports rules may mean. Others have that of their address.
    const hasOwn = members.has(address) || ports.of(address).length > 0;
    const access = hasOwn ? accessOf(address, known, view) : undefined;
    if (access?.id === old) continue;
    pods[family].set(address, access && users.use(access));
    if (old !== undefined) users.leave(old);
  }
  return { 4: pods[4].done(), 6: pods[6].done() };
}

/** What follows from rules alone: the accesses of blocks and of everybody else. */
function* othersOf({ plan, users }: Known, view: RulesView): Steps<Pick<DirectionPlan, 'blocks' | 'rest'>> {
  const blocks = { 4: NO_IDS, 6: NO_IDS };
  const pace = new Pace();
  for (const family of FAMILIES) {
    const before = plan?.blocks[family] ?? NO_IDS;
    const found = new Map<string, string>();
    for (const { text, rules } of view.ranges[family].list()) {
      if (pace.isDue()) yield;
      found.set(text, users.use(view.sets.access(rules)));
    }
    const draft = before.draft();
    for (const [text, id] of before) {
      if (pace.isDue()) yield;
      users.leave(id);
      if (!found.has(text)) draft.set(text, undefined);
    }
    for (const [text, id] of found) {
      if (pace.isDue()) yield;
      draft.set(text, id);
    }
    blocks[family] = draft.done();
  }
  const rest = users.use(view.sets.access(view.everybody));
  if (plan !== undefined) users.leave(plan.rest);
  return { blocks, rest };
}

/** What may be reached at an address, or from it. */
function accessOf(address: string, { members, ports }: Known, view: RulesView): NamedAccess {
  let rules = view.ranges[familyOf(address)].find(address);
  for (const group of members.of(address)) rules = view.sets.union(rules, group.rules);
  // A named port of an egress rule is that of the pod it leads to.
  return view.sets.access(rules, ports.of(address));
}

function saySame(a: DirectionPlan, b: DirectionPlan): boolean {
  return (
    a.isolated === b.isolated &&
    a.rest === b.rest &&
    a.services === b.services &&
    a.accesses === b.accesses &&
    a.hasPartial === b.hasPartial &&
    a.isOverBounds === b.isOverBounds &&
    FAMILIES.every((family) => a.pods[family] === b.pods[family] && a.blocks[family] === b.blocks[family])
  );
}
