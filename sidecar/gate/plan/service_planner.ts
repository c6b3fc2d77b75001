/** A Service is its backends: the kernel of the pod itself picks one of those that policy lets it reach. */

import type { Backend, Protocol, Table, VirtualPort } from '../../../policy/index.ts';
import { familyOf, readVirtualKey } from '../../../policy/index.ts';
import { admits } from './access.ts';
import { PortsByBackend } from './ports_by_backend.ts';
import type { NamedAccess } from './rule_sets.ts';
import {
  NO_SERVICES,
  type PlannedPort,
  SERVICE_BOUNDS,
  type ServiceBounds,
  type ServicePlan,
} from './service_plan.ts';
import { shortHash } from './short_hash.ts';
import { Pace, type Steps } from './steps.ts';

/** One virtual port, planned. */
interface Choice {
  /** As the table has it. */
  readonly port: VirtualPort;
  /** The ready backends that policy allows. */
  readonly reachable: readonly Backend[];
  /** As the plan has it: with some of them, where there are too many. */
  readonly planned: PlannedPort;
  readonly isShortened: boolean;
  /** What it is called where policy allows some ready backends only. */
  readonly mixed: string | undefined;
}

/** Plans the Services of one table after the other. */
export class ServicePlanner {
  readonly #untranslated: string | undefined;
  readonly #bounds: ServiceBounds;
  #services: Table['services'] | undefined;
  readonly #choices = new Map<string, Choice>();
  readonly #byBackend = new PortsByBackend();
  /** How many backends virtual ports could have, and have. */
  readonly #wanted = new SizeCounts();
  readonly #used = new SizeCounts();
  /** How many backends a virtual port may have at most. */
  #most = 0;
  #shortened = 0;
  #plan = NO_SERVICES;

  /** @param untranslated key of a virtual port that is left to the node: the one that tables come from */
  constructor(untranslated?: string, bounds: ServiceBounds = SERVICE_BOUNDS) {
    this.#untranslated = untranslated;
    this.#bounds = bounds;
  }

  /**
   * A change costs the virtual ports that it touches. What says the same as in the plan before is the same object.
   * @param touched addresses whose access may have changed since the last plan; `undefined`: any address, or the pod itself
   * @param accessOf the ports of an address that may be reached
   */
  *plan(
    { services, subject }: Pick<Table, 'services' | 'subject'>,
    touched: ReadonlySet<string> | undefined,
    accessOf: (address: string) => NamedAccess,
  ): Steps<ServicePlan> {
    const reaches = reacher(subject, accessOf);
    const changed = yield* this.#changed(services, touched);
    this.#services = services;
    /** Of those that are there. */
    const reachable = new Map<string, readonly Backend[]>();
    const pace = new Pace();
    for (const key of changed) {
      const [before, port] = [this.#choices.get(key), services.get(key)];
      if (pace.isDue(1 + (port?.backends.length ?? 0))) yield;
      if (before !== undefined) this.#wanted.remove(before.reachable.length);
      // Its backends of today are not those of the day when the pod can ask again.
      if (port === undefined || key === this.#untranslated) continue;
      const found = reachableOf(key, port, reaches);
      reachable.set(key, found);
      this.#wanted.add(found.length);
    }
    const most = Math.min(this.#wanted.most(this.#bounds.backends), this.#bounds.backendsOfPort);
    const isSameMost = most === this.#most;
    this.#most = most;
    const ports = this.#plan.ports.draft();
    const mixed = this.#plan.mixed.draft();
    for (const key of isSameMost ? changed : new Set([...this.#choices.keys(), ...changed])) {
      const [before, port] = [this.#choices.get(key), services.get(key)];
      if (pace.isDue(1 + (port?.backends.length ?? 0))) yield;
      const backends = changed.has(key) ? reachable.get(key) : before?.reachable;
      const choice =
        port === undefined || backends === undefined
          ? undefined
          : choose(key, port, backends, most, before, subject.uid);
      this.#replace(key, before, choice);
      ports.set(key, choice?.planned);
      mixed.set(key, choice?.mixed);
    }
    return this.#planWith(ports.done(), mixed.done());
  }

  #planWith(ports: ServicePlan['ports'], mixed: ServicePlan['mixed']): ServicePlan {
    const { ports: before, mixed: mixedBefore, shortened } = this.#plan;
    if (ports === before && mixed === mixedBefore && shortened === this.#shortened) return this.#plan;
    const counts = ports === before ? this.#plan.counts : this.#used.sizes;
    this.#plan = { ports, counts, mixed, shortened: this.#shortened };
    return this.#plan;
  }

  /** Virtual ports that came, went, or are others, and those that lead to a touched address. */
  *#changed(
    services: Table['services'],
    touched: ReadonlySet<string> | undefined,
  ): Steps<ReadonlySet<string>> {
    const changed = new Set<string>();
    const pace = new Pace();
    for (const [key] of services.since(this.#services)) {
      if (pace.isDue()) yield;
      changed.add(key);
    }
    for (const address of touched ?? []) {
      if (pace.isDue()) yield;
      for (const key of this.#byBackend.of(address)) changed.add(key);
    }
    if (touched !== undefined) return changed;
    for (const key of this.#choices.keys()) {
      if (pace.isDue()) yield;
      changed.add(key);
    }
    return changed;
  }

  #replace(key: string, before: Choice | undefined, after: Choice | undefined): void {
    if (before?.port.backends !== after?.port.backends) {
      if (before !== undefined) this.#byBackend.remove(key, before.port);
      if (after !== undefined) this.#byBackend.add(key, after.port);
    }
    if (before !== undefined) {
      this.#used.remove(before.planned.backends.length);
      if (before.isShortened) this.#shortened -= 1;
      this.#choices.delete(key);
    }
    if (after === undefined) return;
    this.#used.add(after.planned.backends.length);
    if (after.isShortened) this.#shortened += 1;
    this.#choices.set(key, after);
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
    port,
    reachable,
    planned: isKnown ? before.planned : { ...partsOf(key), backends: list },
    isShortened: !isSticky && list.length < reachable.length,
    mixed: isMixed ? `${port.namespace}/${port.name} ${key}` : undefined,
  };
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
  const { protocol } = readVirtualKey(key);
  return backends.filter((one) => reaches(one, protocol));
}

function partsOf(key: string): Omit<PlannedPort, 'backends'> {
  const parts = readVirtualKey(key);
  return { family: familyOf(parts.address), ...parts };
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
