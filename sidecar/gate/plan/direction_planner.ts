/** Plans one direction of one table after the other. A change of members or of pods costs what it touches. */

import type { Direction, Table, TablePort, TableRule } from '../../../policy/index.ts';
import { familyOf } from '../../../policy/index.ts';
import type { Access } from './access.ts';
import { type Family, type RuleBlock, RuledRanges } from './address_ranges.ts';
import { changedEntries, changedMembers } from './differences.ts';
import type { DirectionPlan } from './plan.ts';
import {
  type NamedAccess,
  RULE_SET_BOUNDS,
  type RuleSet,
  type RuleSetBounds,
  RuleSets,
} from './rule_sets.ts';
import { NO_SERVICES } from './service_plan.ts';
import { ServicePlanner } from './service_planner.ts';

const FAMILIES: readonly Family[] = [4, 6];

/** What follows from the rules of a direction alone. */
interface RulesView {
  readonly sets: RuleSets;
  /** Rules without peers: they admit everybody. */
  readonly everybody: RuleSet;
  /** By the group that rules ask for, in the order in which they do. */
  readonly byGroup: ReadonlyMap<string, RuleSet>;
  /** The same sets, by place. */
  readonly groupRules: readonly RuleSet[];
  readonly ranges: Readonly<Record<Family, RuledRanges>>;
  /** Whether ports have names that stand for ports of the peer. */
  readonly namesPorts: boolean;
}

/** Plans one direction; remembers the last table. */
export class DirectionPlanner {
  readonly #direction: Direction;
  readonly #services: ServicePlanner;
  readonly #bounds: RuleSetBounds;
  #table: Table | undefined;
  #view: RulesView | undefined;
  /** The groups of rules that an address is in, by address: their places, ascending. */
  #named = new Map<string, readonly number[]>();
  /** How many addresses and ranges have an access. */
  #users = new Map<string, { readonly access: Access; count: number }>();
  #plan: DirectionPlan | undefined;

  /** @param untranslated as `ServicePlanner` has it */
  constructor(direction: Direction, untranslated?: string, bounds: RuleSetBounds = RULE_SET_BOUNDS) {
    this.#direction = direction;
    this.#bounds = bounds;
    this.#services = new ServicePlanner(untranslated);
  }

  plan(table: Table): DirectionPlan {
    this.#plan = this.#following(table) ?? this.#fromScratch(table);
    this.#table = table;
    return this.#plan;
  }

  /** From the plan before; `undefined` where it takes a new one. */
  #following(table: Table): DirectionPlan | undefined {
    const [before, view, known] = [this.#table, this.#view, this.#plan];
    if (before?.[this.#direction] !== table[this.#direction]) return undefined;
    if (before === undefined || view === undefined || known === undefined) return undefined;
    const plan = this.#changed(before, table, view, known);
    // Sets of members that came and went fill the bounds too: what is there now may fit.
    return view.sets.isOverBounds && !known.isOverBounds ? undefined : plan;
  }

  #fromScratch(table: Table): DirectionPlan {
    const view = viewOf(this.#direction, table, this.#bounds);
    this.#view = view;
    this.#users = new Map();
    this.#named = namedBy(table, view);
    const pods = { 4: new Map<string, string>(), 6: new Map<string, string>() };
    for (const address of this.#candidates(table, view)) {
      const access = this.#podAccess(address, table, view);
      if (access !== undefined) pods[familyOf(address)].set(address, this.#use(access));
    }
    const blocks = { 4: new Map<string, string>(), 6: new Map<string, string>() };
    for (const family of FAMILIES) {
      for (const { text, rules } of view.ranges[family].list()) {
        blocks[family].set(text, this.#use(view.sets.access(rules)));
      }
    }
    const rest = this.#use(view.sets.access(view.everybody));
    const isolated = table[this.#direction].isolating.length > 0;
    this.#services.forget();
    const services = this.#servicesOf(table, view, isolated, undefined);
    const isOverBounds = view.sets.isOverBounds;
    return { isolated, rest, pods, blocks, services, accesses: this.#inUse(), isOverBounds };
  }

  /** The rules are the same: members have come or gone, or pods, or Services. */
  #changed(before: Table, table: Table, view: RulesView, known: DirectionPlan): DirectionPlan {
    const touched = new Set<string>();
    let place = 0;
    for (const group of view.byGroup.keys()) {
      const { added, removed } = changedMembers(membersOf(before, group), membersOf(table, group));
      for (const address of added) this.#name(address, place, true);
      for (const address of removed) this.#name(address, place, false);
      for (const address of added) touched.add(address);
      for (const address of removed) touched.add(address);
      place += 1;
    }
    for (const address of changedEntries(before.pods, table.pods)) touched.add(address);
    const pods = { 4: known.pods[4], 6: known.pods[6] };
    for (const family of FAMILIES) {
      const own = [...touched].filter((address) => familyOf(address) === family);
      pods[family] = this.#updated(known.pods[family], own, table, view);
    }
    const isSubjectSame = before.subject === table.subject;
    if (!isSubjectSame) this.#services.forget();
    const services = this.#servicesOf(table, view, known.isolated, touched);
    const isSame = pods[4] === known.pods[4] && pods[6] === known.pods[6] && services === known.services;
    if (isSame) return known;
    return { ...known, pods, services, accesses: this.#inUse() };
  }

  /** The map with new accesses for these addresses; itself when none has changed. */
  #updated(
    known: ReadonlyMap<string, string>,
    addresses: readonly string[],
    table: Table,
    view: RulesView,
  ): ReadonlyMap<string, string> {
    let copy: Map<string, string> | undefined;
    for (const address of addresses) {
      const old = known.get(address);
      const access = this.#podAccess(address, table, view);
      if (access?.id === old) continue;
      copy ??= new Map(known);
      if (access === undefined) copy.delete(address);
      else copy.set(address, this.#use(access));
      if (old !== undefined) this.#leave(old);
    }
    return copy ?? known;
  }

  #servicesOf(table: Table, view: RulesView, isolated: boolean, touched: ReadonlySet<string> | undefined) {
    if (this.#direction === 'ingress' || !isolated) return NO_SERVICES;
    return this.#services.plan(table, touched, (address) => this.#accessOf(address, table, view));
  }

  /** Addresses that may have an access of their own. */
  #candidates(table: Table, view: RulesView): Iterable<string> {
    return view.namesPorts
      ? new Set([...this.#named.keys(), ...Object.keys(table.pods)])
      : this.#named.keys();
  }

  /**
   * Access of a pod that a rule selects, or whose named ports rules may mean. Others have that of their address.
   * Members that the directory does not list count for nothing.
   */
  #podAccess(address: string, table: Table, view: RulesView): NamedAccess | undefined {
    if (!Object.hasOwn(table.pods, address)) return undefined;
    const declares = view.namesPorts && (table.pods[address]?.ports.length ?? 0) > 0;
    return this.#named.has(address) || declares ? this.#accessOf(address, table, view) : undefined;
  }

  #accessOf(address: string, table: Table, view: RulesView): NamedAccess {
    const pod = Object.hasOwn(table.pods, address) ? table.pods[address] : undefined;
    let rules = view.ranges[familyOf(address)].find(address);
    for (const group of pod === undefined ? [] : (this.#named.get(address) ?? [])) {
      rules = view.sets.union(rules, view.groupRules[group] ?? view.sets.empty);
    }
    // A named port of an egress rule is that of the pod it leads to.
    return view.sets.access(rules, view.namesPorts ? (pod?.ports ?? []) : []);
  }

  /** An address joins or leaves a group. */
  #name(address: string, group: number, isIn: boolean): void {
    const others = (this.#named.get(address) ?? []).filter((one) => one !== group);
    const groups = isIn ? [...others, group].sort((a, b) => a - b) : others;
    if (groups.length > 0) this.#named.set(address, groups);
    else this.#named.delete(address);
  }

  #use({ id, access }: NamedAccess): string {
    const user = this.#users.get(id);
    if (user === undefined) this.#users.set(id, { access, count: 1 });
    else user.count += 1;
    return id;
  }

  #leave(id: string): void {
    const user = this.#users.get(id);
    if (user === undefined) return;
    user.count -= 1;
    if (user.count === 0) this.#users.delete(id);
  }

  #inUse(): ReadonlyMap<string, Access> {
    return new Map([...this.#users].map(([id, { access }]) => [id, access]));
  }
}

function viewOf(direction: Direction, table: Table, bounds: RuleSetBounds): RulesView {
  const { rules } = table[direction];
  const sets = new RuleSets(
    rules.map((rule) => rule.ports),
    bounds,
  );
  const byGroup = new Map<string, RuleSet>();
  for (const [ordinal, { peers }] of rules.entries()) {
    for (const peer of peers) {
      if (peer.kind !== 'group') continue;
      const known = byGroup.get(peer.group) ?? sets.empty;
      byGroup.set(peer.group, sets.changed(known, sets.classOf(ordinal), true));
    }
  }
  const everybody = rules.flatMap((rule, ordinal) => (rule.peers.length === 0 ? [ordinal] : []));
  return {
    sets,
    everybody: sets.of(everybody),
    byGroup,
    groupRules: [...byGroup.values()],
    ranges: {
      4: new RuledRanges(4, blocksOf(rules), sets, everybody),
      6: new RuledRanges(6, blocksOf(rules), sets, everybody),
    },
    namesPorts: direction === 'egress' && rules.some((rule) => rule.ports.some(isNamed)),
  };
}

function blocksOf(rules: readonly TableRule[]): readonly RuleBlock[] {
  return rules.flatMap(({ peers }, rule) =>
    peers.flatMap((peer) =>
      peer.kind === 'ipBlock' ? [{ cidr: peer.cidr, except: peer.except, rule }] : [],
    ),
  );
}

function namedBy(table: Table, { byGroup }: RulesView): Map<string, readonly number[]> {
  const named = new Map<string, number[]>();
  let place = 0;
  for (const group of byGroup.keys()) {
    for (const address of membersOf(table, group)) {
      const known = named.get(address);
      if (known === undefined) named.set(address, [place]);
      else known.push(place);
    }
    place += 1;
  }
  return named;
}

function membersOf({ groups }: Table, id: string): readonly string[] {
  return Object.hasOwn(groups, id) ? (groups[id]?.members ?? []) : [];
}

function isNamed({ from, name }: TablePort): boolean {
  return from === undefined && name !== undefined;
}
