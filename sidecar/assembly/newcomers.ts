/**
 * Whom the injector is asked about because the gate keeps them out, though they may be members of partial groups. Behind a Service
 * these are its backends.
 */
import { Recent } from '../../common/recent.ts';
import {
  type Direction,
  DNS_PORT,
  type Judge,
  MAX_MET,
  type Protocol,
  readVirtualKey,
  type Table,
  virtualKey,
} from '../../policy/index.ts';
import type { DeniedPeer, UnmetSink } from '../gate/kernel/index.ts';
import type { Enforcement, MembershipQueries } from '../table/index.ts';

/** Backends of one Service that are looked at, at a time. */
const BACKENDS_MAX = 1_024;

/** Backends of one Service that are asked about at a time: who uses it needs one. */
const ASKED_AT_ONCE = 32;

/** Virtual ports of which it is remembered when their backends were asked about; some 150 bytes each. */
const PORTS_MAX = 1_024;

/** With so many met members, only name servers are asked about ahead. */
const MET_MAX = MAX_MET / 4;

/** Backends that are no members are asked about again after this long, when a table comes: their labels may be others, ms. */
const AGAIN_MS = 10_000;

type Services = Table['services'];

/** How far the backends of a virtual port have been asked about. */
interface Asked {
  /** When some were, ahead; `performance.now`. */
  readonly aheadAtMs: number;
  /** Number of the backend that is next: who is no member must not keep others from being asked about. */
  readonly next: number;
}

/** What newcomers are found and asked with. */
export interface NewcomersParts {
  readonly enforcement: Enforcement;
  readonly membership: Pick<MembershipQueries, 'ask' | 'notice' | 'ahead' | 'hasAnswer'>;
  /** Canonical addresses of those that the pod asks. */
  readonly nameServers: readonly string[];
  unreadable(): void;
}

/** The newcomers of one direction. */
export class Newcomers implements UnmetSink {
  readonly #direction: Direction;
  readonly #parts: NewcomersParts;
  readonly #services = new ServiceIndex();
  /** By virtual key, which stays the same however often the Service's slices are written. */
  readonly #asked = new Recent<string, Asked>(PORTS_MAX);
  /** The virtual port that was asked about ahead last: the next one begins the next time. */
  #last: string | undefined;

  constructor(direction: Direction, parts: NewcomersParts) {
    this.#direction = direction;
    this.#parts = parts;
  }

  active(): boolean {
    return this.#parts.enforcement.judge?.hasPartial(this.#direction) ?? false;
  }

  unmet(addresses: readonly string[]): void {
    const { judge } = this.#parts.enforcement;
    if (judge !== undefined) this.#parts.membership.notice(this.#unmet(addresses, judge));
  }

  unreadable(): void {
    this.#parts.unreadable();
  }

  *#unmet(addresses: readonly string[], judge: Judge): Generator<string> {
    for (const address of addresses) {
      const ports = this.#direction === 'egress' ? this.#services.at(address, judge.table.services) : [];
      if (ports.length > 0) for (const key of ports) yield* this.#nextBackends(key, judge);
      else if (!judge.isMet(address)) yield address;
    }
  }

  /**
   * To be called when the gate has a table. The pod's name servers are asked about before the first lookup. Of a Service of which some
   * backends may be reached, the others are asked about: else all connections would go to the few that were met. Services are made by
   * anyone, and the pod may use none of these, so that few are asked about at a time.
   * @param mixed keys of such virtual ports
   */
  askBackends(mixed: Iterable<string>): void {
    const { judge } = this.#parts.enforcement;
    if (judge === undefined || !this.active()) return;
    for (const key of this.#dnsKeys(judge)) if (!this.#askAhead(key, judge)) return;
    if (metCount(judge.table) >= MET_MAX) return;
    const keys = [...mixed];
    const begin = this.#last === undefined ? 0 : keys.indexOf(this.#last) + 1;
    for (const key of [...keys.slice(begin), ...keys.slice(0, begin)]) {
      if (!this.#askAhead(key, judge)) return;
      this.#last = key;
    }
  }

  /** Virtual ports where the pod looks names up. A lost lookup is sent again only after 5 s by many resolvers. */
  #dnsKeys({ table }: Judge): readonly string[] {
    return this.#parts.nameServers.flatMap((address) =>
      this.#services.at(address, table.services).filter((key) => readVirtualKey(key).port === DNS_PORT),
    );
  }

  /** @returns false where nobody else can be asked about now */
  #askAhead(key: string, judge: Judge): boolean {
    const now = performance.now();
    const before = this.#asked.get(key);
    if (before !== undefined && now - before.aheadAtMs < AGAIN_MS) return true;
    const { addresses, next } = unmetBackends(key, judge, before?.next);
    if (!this.#parts.membership.ahead(addresses)) return false;
    this.#asked.keep(key, { aheadAtMs: now, next });
    return true;
  }

  /** Backends of a virtual port to which the pod has sent something: the next ones. */
  #nextBackends(key: string, judge: Judge): readonly string[] {
    const before = this.#asked.get(key);
    const { addresses, next } = unmetBackends(key, judge, before?.next);
    this.#asked.keep(key, { aheadAtMs: before?.aheadAtMs ?? Number.NEGATIVE_INFINITY, next });
    return addresses;
  }

  /** Asks about those of the peers whom policy may allow after all; `undefined`: there are none. */
  ask(peers: readonly DeniedPeer[]): Promise<void> | undefined {
    const { enforcement, membership } = this.#parts;
    const { judge } = enforcement;
    if (judge === undefined || !this.active()) return undefined;
    const unsure = peers.flatMap((peer) =>
      this.#targets(peer, judge)
        .filter(({ address, port }) => judge.isUnsure(this.#direction, address, peer.protocol, port))
        .map(({ address }) => address)
        .filter((address) => !membership.hasAnswer(address))
        .slice(0, ASKED_AT_ONCE),
    );
    return unsure.length === 0 ? undefined : membership.ask(unsure);
  }

  /** Whether a peer was kept out only until it was asked about. */
  isAdmitted(peer: DeniedPeer): boolean {
    const { judge } = this.#parts.enforcement;
    if (judge === undefined || !this.active()) return false;
    return this.#targets(peer, judge).some(
      ({ address, port }) =>
        judge.isMet(address) &&
        judge.judge(this.#direction, address, peer.protocol, port).verdict === 'allow',
    );
  }

  /** What policy sees: the backends, where packets went to a Service. */
  #targets(
    { address, protocol, port }: { address: string; protocol: Protocol; port: number },
    { table }: Judge,
  ): readonly { readonly address: string; readonly port: number }[] {
    const service =
      this.#direction === 'egress' ? table.services.get(virtualKey(address, protocol, port)) : undefined;
    return service?.backends.slice(0, BACKENDS_MAX) ?? [{ address, port }];
  }
}

/**
 * Some backends of a virtual port that a partial group may allow.
 * @param from number of the backend to begin with
 * @returns `next`: with whom to begin the next time
 */
function unmetBackends(
  key: string,
  judge: Judge,
  from = 0,
): { readonly addresses: readonly string[]; readonly next: number } {
  const addresses: string[] = [];
  const { protocol } = readVirtualKey(key);
  const backends = judge.table.services.get(key)?.backends ?? [];
  if (backends.length === 0) return { addresses, next: 0 };
  let next = from % backends.length;
  for (let left = Math.min(backends.length, BACKENDS_MAX); left > 0; left -= 1) {
    if (addresses.length === ASKED_AT_ONCE) break;
    const backend = backends[next];
    next = (next + 1) % backends.length;
    if (backend !== undefined && judge.isUnsure('egress', backend.address, protocol, backend.port))
      addresses.push(backend.address);
  }
  return { addresses, next };
}

/** Addresses that were met, at most: some may be in several groups. */
function metCount({ groups }: Table): number {
  let count = 0;
  for (const { partial, members } of groups.values()) if (partial === true) count += members.size;
  return count;
}

const NO_KEYS: readonly string[] = [];

/** Keys of virtual ports by address. Follows tables: a change costs the virtual ports that came and went. */
class ServiceIndex {
  #services: Services | undefined;
  readonly #byAddress = new Map<string, readonly string[]>();

  /** Keys of the virtual ports of a virtual address. */
  at(address: string, services: Services): readonly string[] {
    this.#follow(services);
    return this.#byAddress.get(address) ?? NO_KEYS;
  }

  #follow(services: Services): void {
    for (const [key, before, now] of services.since(this.#services)) {
      if (before !== undefined && now !== undefined) continue;
      const { address } = readVirtualKey(key);
      const others = (this.#byAddress.get(address) ?? NO_KEYS).filter((one) => one !== key);
      const keys = now === undefined ? others : [...others, key];
      if (keys.length === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, keys);
    }
    this.#services = services;
  }
}
