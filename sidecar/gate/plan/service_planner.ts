/** A Service is its backends: the kernel of the pod itself picks one of those that policy lets it reach. */

import { PROTOCOLS } from '../../../common/net.ts';
import type { Backend, Protocol, Table, VirtualPort } from '../../../policy/index.ts';
import { familyOf } from '../../../policy/index.ts';
import { admits } from './access.ts';
import { BucketMap } from './bucket_map.ts';
import { changedEntries } from './differences.ts';
import type { NamedAccess } from './rule_sets.ts';
import {
  NO_SERVICES,
  type PlannedPort,
  SERVICE_BOUNDS,
  type ServiceBounds,
  type ServicePlan,
} from './service_plan.ts';
import { shortHash } from './short_hash.ts';

/** One virtual port, planned. */
interface Choice {
  /** The ready backends that policy allows. */
  readonly reachable: readonly Backend[];
  /** As the plan has it: with some of them, where there are too many. */
  readonly planned: PlannedPort;
  readonly isShortened: boolean;
  /** What it is called where policy allows some ready backends only. */
  readonly mixed: string | undefined;
}

/** Plans the Services of one table after the other, with the same rules. */
export class ServicePlanner {
  readonly #untranslated: string | undefined;
  readonly #bounds: ServiceBounds;
  #services: Table['services'] = {};
  readonly #choices = new Map<string, Choice>();
  /** How many backends virtual ports could have, and have. */
  readonly #wanted = new SizeCounts();
  readonly #used = new SizeCounts();
  /** How many backends a virtual port may have at most. */
  #most = 0;
  readonly #mixed = new Map<string, string>();
  #shortened = 0;
  #plan: ServicePlan | undefined;

  /** @param untranslated key of a virtual port that is left to the node: the one that tables come from */
  constructor(untranslated?: string, bounds: ServiceBounds = SERVICE_BOUNDS) {
    this.#untranslated = untranslated;
    this.#bounds = bounds;
  }

  /** To be called when rules or the pod's own addresses have changed: nothing known holds any more. */
  forget(): void {
    for (const key of [...this.#choices.keys()]) this.#drop(key);
    this.#services = {};
  }

  /**
   * A change costs what it touches, and one look at each virtual port.
   * @param touched addresses whose access may have changed since the last plan; `undefined` after `forget`
   * @param accessOf the ports of an address that may be reached
   */
  plan(
    table: Table,
    touched: ReadonlySet<string> | undefined,
    accessOf: (address: string) => NamedAccess,
  ): ServicePlan {
    const { services, subject } = table;
    const known = this.#plan;
    const changed = this.#changed(services, touched);
    this.#services = services;
    if (known !== undefined && changed.size === 0 && touched !== undefined) return known;
    const reaches = reacher(subject, accessOf);
    const found = new Map<string, readonly Backend[]>();
    for (const key of changed) {
      const port = services[key];
      const before = this.#choices.get(key);
      if (before !== undefined) this.#wanted.remove(before.reachable.length);
      // Its backends of today are not those of the day when the pod can ask again.
      if (port === undefined || key === this.#untranslated) continue;
      const reachable = reachableOf(key, port, reaches);
      found.set(key, reachable);
      this.#wanted.add(reachable.length);
    }
    const most = Math.min(this.#wanted.most(this.#bounds.backends), this.#bounds.backendsOfPort);
    const isSameMost = most === this.#most;
    this.#most = most;
    const ports = new Map<string, PlannedPort | undefined>();
    let isSame = known !== undefined && touched !== undefined;
    for (const key of isSameMost ? changed : new Set([...this.#choices.keys(), ...changed])) {
      const [before, port] = [this.#choices.get(key), services[key]];
      const reachable = found.get(key) ?? (changed.has(key) ? undefined : before?.reachable);
      const choice =
        port === undefined || reachable === undefined
          ? undefined
          : choose(key, port, reachable, most, before, subject.uid);
      if (!saysTheSame(choice, before)) isSame = false;
      this.#replace(key, before, choice);
      if (choice?.planned !== before?.planned) ports.set(key, choice?.planned);
    }
    if (known === undefined || !isSame) {
      const mixed = [...this.#mixed.values()].sort();
      const all = (touched === undefined ? undefined : known?.ports) ?? new BucketMap<PlannedPort>();
      this.#plan = { ports: all.with(ports), counts: this.#used.sizes, mixed, shortened: this.#shortened };
    }
    return this.#plan ?? NO_SERVICES;
  }

  /** Virtual ports that came, went, or are others, and those that lead to a touched address. */
  #changed(services: Table['services'], touched: ReadonlySet<string> | undefined): ReadonlySet<string> {
    const changed = new Set(changedEntries(this.#services, services));
    if (touched === undefined || touched.size === 0) return changed;
    for (const key of this.#choices.keys()) {
      if (services[key]?.backends.some(({ address }) => touched.has(address)) === true) changed.add(key);
    }
    return changed;
  }

  #replace(key: string, before: Choice | undefined, after: Choice | undefined): void {
    if (before === after) return;
    if (before !== undefined) {
      this.#used.remove(before.planned.backends.length);
      if (before.isShortened) this.#shortened -= 1;
      this.#mixed.delete(key);
      this.#choices.delete(key);
    }
    if (after === undefined) return;
    this.#used.add(after.planned.backends.length);
    if (after.isShortened) this.#shortened += 1;
    if (after.mixed !== undefined) this.#mixed.set(key, after.mixed);
    this.#choices.set(key, after);
  }

  #drop(key: string): void {
    const before = this.#choices.get(key);
    if (before === undefined) return;
    this.#wanted.remove(before.reachable.length);
    this.#replace(key, before, undefined);
  }
}

function choose(
  key: string,
  port: VirtualPort,
  reachable: readonly Backend[],
  most: number,
  before: Choice | undefined,
  client: string,
): Choice {
  // This pod is the only client: affinity is one backend, the same as long as the backends are.
  const isSticky = port.affinitySeconds !== undefined;
  const list = isSticky
    ? someOf(reachable, Math.min(most, 1), `${client} ${key}`)
    : someOf(reachable, most, client);
  const isKnown = before !== undefined && sameBackends(before.planned.backends, list);
  const isMixed = reachable.length > 0 && reachable.length < port.backends.length;
  return {
    reachable,
    planned: isKnown ? before.planned : { ...partsOf(key), backends: list },
    isShortened: !isSticky && list.length < reachable.length,
    mixed: isMixed ? `${port.namespace}/${port.name} ${key}` : undefined,
  };
}

function saysTheSame(after: Choice | undefined, before: Choice | undefined): boolean {
  return (
    after?.planned === before?.planned &&
    after?.mixed === before?.mixed &&
    after?.isShortened === before?.isShortened
  );
}

/** Whether a backend may be reached; each address is looked up once. */
function reacher(
  subject: Table['subject'],
  accessOf: (address: string) => NamedAccess,
): (backend: Backend, protocol: Protocol) => boolean {
  const always = new Set([...subject.ips, ...subject.nodeIPs]);
  const accesses = new Map<string, NamedAccess>();
  return ({ address, port }, protocol) => {
    if (always.has(address)) return true;
    const known = accesses.get(address) ?? accessOf(address);
    accesses.set(address, known);
    return admits(known.access, protocol, port);
  };
}

function reachableOf(
  key: string,
  { backends }: VirtualPort,
  reaches: (backend: Backend, protocol: Protocol) => boolean,
): readonly Backend[] {
  const { protocol } = partsOf(key);
  return backends.filter((one) => reaches(one, protocol));
}

function partsOf(key: string): Omit<PlannedPort, 'backends'> {
  const space = key.indexOf(' ');
  const slash = key.indexOf('/', space);
  const address = key.slice(0, space);
  const protocol = PROTOCOLS.find((one) => one === key.slice(space + 1, slash));
  if (protocol === undefined) throw new Error(`no virtual port of a table: ${key}`);
  return { family: familyOf(address), address, protocol, port: Number(key.slice(slash + 1)) };
}

/** Numbers of backends, and how many virtual ports have each. */
class SizeCounts {
  readonly #ports = new Map<number, number>();

  add(size: number): void {
    this.#ports.set(size, (this.#ports.get(size) ?? 0) + 1);
  }

  remove(size: number): void {
    const left = (this.#ports.get(size) ?? 0) - 1;
    if (left > 0) this.#ports.set(size, left);
    else this.#ports.delete(size);
  }

  /** All of them but zero. */
  get sizes(): ReadonlySet<number> {
    return new Set([...this.#ports.keys()].filter((size) => size > 0).sort((a, b) => a - b));
  }

  /** How many backends each port may have so that all have `bound` at most: a power of two, which seldom changes. */
  most(bound: number): number {
    const total = (most: number): number => {
      let sum = 0;
      for (const [size, ports] of this.#ports) sum += Math.min(size, most) * ports;
      return sum;
    };
    if (total(Number.POSITIVE_INFINITY) <= bound) return Number.POSITIVE_INFINITY;
    let most = 2 ** Math.floor(Math.log2(bound));
    while (most >= 1 && total(most) > bound) most /= 2;
    return most >= 1 ? most : 0;
  }
}

/** Some of the backends, for a key the same as long as they are there: others may come and go. In their order. */
function someOf(backends: readonly Backend[], count: number, key: string): readonly Backend[] {
  if (backends.length <= count) return backends;
  if (count === 0) return [];
  const weighed = backends.map((one) => ({ one, weight: shortHash(`${key} ${one.address} ${one.port}`) }));
  weighed.sort((a, b) => (a.weight < b.weight ? -1 : 1));
  const chosen = new Set(weighed.slice(0, count).map(({ one }) => one));
  return backends.filter((one) => chosen.has(one));
}

function sameBackends(a: readonly Backend[], b: readonly Backend[]): boolean {
  return (
    a === b ||
    (a.length === b.length &&
      a.every(({ address, port }, i) => address === b[i]?.address && port === b[i]?.port))
  );
}
