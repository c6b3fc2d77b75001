/** Plans one direction of one table after the other. A change of members or of pods costs what it touches. */
import type { Direction, Table, TablePort, TableRule } from '../../policy/index.ts';
import type { Access } from './access.ts';
import { AccessIds, type NamedAccess } from './access_ids.ts';
import { type Family, RuledRanges } from './address_ranges.ts';
import { changedEntries, changedMembers } from './changes.ts';
import { type DirectionPlan, familyOf, NO_SERVICES } from './plan.ts';
import { ServicePlanner } from './service_planner.ts';

const FAMILIES: readonly Family[] = [4, 6];

/** What follows from the rules of a direction alone. */
interface RulesView {
  readonly accesses: AccessIds;
  /** Rules without peers: they admit everybody. */
  readonly everybody: readonly number[];
  /** Rules by the group they ask for; one that asks twice stands there twice. */
  readonly byGroup: ReadonlyMap<string, readonly number[]>;
  readonly ranges: Readonly<Record<Family, RuledRanges>>;
  /** Whether ports have names that stand for ports of the peer. */
  readonly namesPorts: boolean;
}

/** Plans one direction; remembers the last table. */
export class DirectionPlanner {
  readonly #direction: Direction;
  readonly #services: ServicePlanner;
  #table: Table | undefined;
  #view: RulesView | undefined;
  /** The rules that name an address by a group, by address; ascending. */
  #named = new Map<string, readonly number[]>();
  /** How many addresses and ranges have an access. */
  #users = new Map<string, { readonly access: Access; count: number }>();
  #plan: DirectionPlan | undefined;

  /** @param untranslated as `ServicePlanner` has it */
  constructor(direction: Direction, untranslated?: string) {
    this.#direction = direction;
    this.#services = new ServicePlanner(untranslated);
  }

  plan(table: Table): DirectionPlan {
    const before = this.#table;
    const known = this.#plan;
    this.#table = table;
    const isSame = before !== undefined && before[this.#direction] === table[this.#direction];
    const view = isSame && this.#view !== undefined ? this.#view : viewOf(this.#direction, table);
    this.#view = view;
    const made =
      before === undefined || known === undefined || !isSame
        ? this.#anew(table, view)
        : this.#changed(before, table, view, known);
    this.#plan = made;
    return made;
  }

  #anew(table: Table, view: RulesView): DirectionPlan {
    this.#users = new Map();
    this.#named = namedBy(table, view);
    const pods = { 4: new Map<string, string>(), 6: new Map<string, string>() };
    for (const address of this.#candidates(table, view)) {
      const access = this.#podAccess(address, table, view);
      if (access !== undefined) pods[familyOf(address)].set(address, this.#use(access));
    }
    const blocks = { 4: new Map<string, string>(), 6: new Map<string, string>() };
    for (const family of FAMILIES) {
      for (const { from, to, rules } of view.ranges[family].list) {
        const access = view.accesses.of([...view.everybody, ...rules]);
        blocks[family].set(from === to ? from : `${from}-${to}`, this.#use(access));
      }
    }
    const rest = this.#use(view.accesses.of(view.everybody));
    const isolated = table[this.#direction].isolating.length > 0;
    this.#services.forget();
    const services = this.#servicesOf(table, view, isolated, undefined);
    return { isolated, rest, pods, blocks, services, accesses: this.#inUse() };
  }

  /** The rules are the same: members have come or gone, or pods, or Services. */
  #changed(before: Table, table: Table, view: RulesView, known: DirectionPlan): DirectionPlan {
    const touched = new Set<string>();
    for (const [group, rules] of view.byGroup) {
      const { added, removed } = changedMembers(membersOf(before, group), membersOf(table, group));
      for (const address of added)
        this.#named.set(address, ascending([...this.#rulesFor(address), ...rules]));
      for (const address of removed) this.#unname(address, rules);
      for (const address of [...added, ...removed]) touched.add(address);
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
    return isSame ? known : { ...known, pods, services, accesses: this.#inUse() };
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
    const rules = [
      ...view.everybody,
      ...(pod === undefined ? [] : this.#rulesFor(address)),
      ...view.ranges[familyOf(address)].find(address),
    ];
    // A named port of an egress rule is that of the pod it leads to.
    return view.accesses.of(rules, view.namesPorts ? (pod?.ports ?? []) : []);
  }

  #rulesFor(address: string): readonly number[] {
    return this.#named.get(address) ?? [];
  }

  /** Takes one mention of each rule away. */
  #unname(address: string, rules: readonly number[]): void {
    const left = [...this.#rulesFor(address)];
    for (const rule of rules) {
      const at = left.indexOf(rule);
      if (at >= 0) left.splice(at, 1);
    }
    if (left.length > 0) this.#named.set(address, left);
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

function viewOf(direction: Direction, table: Table): RulesView {
  const { rules } = table[direction];
  const byGroup = new Map<string, number[]>();
  for (const [ordinal, { peers }] of rules.entries()) {
    for (const peer of peers) {
      if (peer.kind !== 'group') continue;
      const known = byGroup.get(peer.group);
      if (known === undefined) byGroup.set(peer.group, [ordinal]);
      else known.push(ordinal);
    }
  }
  return {
    accesses: new AccessIds(rules.map((rule) => rule.ports)),
    everybody: rules.flatMap((rule, ordinal) => (rule.peers.length === 0 ? [ordinal] : [])),
    byGroup,
    ranges: { 4: rangesOf(4, rules), 6: rangesOf(6, rules) },
    namesPorts: direction === 'egress' && rules.some((rule) => rule.ports.some(isNamed)),
  };
}

function rangesOf(family: Family, rules: readonly TableRule[]): RuledRanges {
  return new RuledRanges(
    family,
    rules.flatMap(({ peers }, rule) =>
      peers.flatMap((peer) =>
        peer.kind === 'ipBlock' ? [{ cidr: peer.cidr, except: peer.except, rule }] : [],
      ),
    ),
  );
}

function namedBy(table: Table, { byGroup }: RulesView): Map<string, readonly number[]> {
  const named = new Map<string, number[]>();
  for (const [group, rules] of byGroup) {
    for (const address of membersOf(table, group)) {
      const known = named.get(address);
      if (known === undefined) named.set(address, [...rules]);
      else for (const rule of rules) known.push(rule);
    }
  }
  for (const rules of named.values()) rules.sort((a, b) => a - b);
  return named;
}

function membersOf({ groups }: Table, id: string): readonly string[] {
  return Object.hasOwn(groups, id) ? (groups[id]?.members ?? []) : [];
}

function isNamed({ from, name }: TablePort): boolean {
  return from === undefined && name !== undefined;
}

function ascending(rules: readonly number[]): readonly number[] {
  return [...rules].sort((a, b) => a - b);
}
