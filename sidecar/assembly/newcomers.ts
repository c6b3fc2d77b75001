/**
 * Whom the injector is asked about because the gate keeps them out, though they may be members of partial groups. Behind a Service
 * these are its backends.
 */
import { PROTOCOLS } from '../../common/net.ts';
import { type Direction, type Judge, type Protocol, type Table, virtualKey } from '../../policy/index.ts';
import type { DeniedPeer, UnmetSink } from '../gate/kernel/index.ts';
import type { Enforcement, Meetings } from '../table/index.ts';

/** Backends of one Service that are asked about at a time. */
const BACKENDS_MAX = 1_024;

/** Lookups of names are asked about before the first one: many resolvers send a lost one again only after 5 s. */
const DNS_PORT = 53;

/** Backends that are no members are asked about again after this long, when a table comes: their labels may be others, ms. */
const AGAIN_MS = 10_000;

type Services = Table['services'];
type VirtualPort = NonNullable<ReturnType<Services['get']>>;

/** What newcomers are found and asked with. */
export interface NewcomersParts {
  readonly enforcement: Enforcement;
  readonly meetings: Pick<Meetings, 'ask' | 'notice' | 'hasAnswer'>;
  unreadable(): void;
}

/** The newcomers of one direction. */
export class Newcomers implements UnmetSink {
  readonly #direction: Direction;
  readonly #parts: NewcomersParts;
  readonly #services = new ServiceIndex();
  /** When the backends of a virtual port were asked about; `performance.now`. */
  readonly #askedAtMs = new WeakMap<VirtualPort, number>();

  constructor(direction: Direction, parts: NewcomersParts) {
    this.#direction = direction;
    this.#parts = parts;
  }

  active(): boolean {
    return this.#parts.enforcement.judge?.hasPartial(this.#direction) ?? false;
  }

  unmet(addresses: readonly string[]): void {
    const { judge } = this.#parts.enforcement;
    if (judge !== undefined) this.#parts.meetings.notice(this.#unmet(addresses, judge));
  }

  unreadable(): void {
    this.#parts.unreadable();
  }

  *#unmet(addresses: readonly string[], judge: Judge): Generator<string> {
    for (const address of addresses) {
      const ports = this.#direction === 'egress' ? this.#services.at(address, judge.table.services) : [];
      if (ports.length > 0) for (const key of ports) yield* unmetBackends(key, judge);
      else if (!judge.isMet(address)) yield address;
    }
  }

  /**
   * To be called when the gate has a table. Of a Service of which some backends may be reached, the others are asked about: else all
   * connections would go to the few that were met.
   * @param mixed keys of such virtual ports
   */
  askBackends(mixed: Iterable<string>): void {
    const { judge } = this.#parts.enforcement;
    if (judge === undefined || !this.active()) return;
    const { services } = judge.table;
    const now = performance.now();
    for (const key of [...mixed, ...this.#services.dns(services)]) {
      const port = services.get(key);
      if (port === undefined || now - (this.#askedAtMs.get(port) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS)
        continue;
      this.#askedAtMs.set(port, now);
      this.#parts.meetings.notice(unmetBackends(key, judge));
    }
  }

  /** Asks about those of the peers whom policy may allow after all; `undefined`: there are none. */
  ask(peers: readonly DeniedPeer[]): Promise<void> | undefined {
    const { enforcement, meetings } = this.#parts;
    const { judge } = enforcement;
    if (judge === undefined || !this.active()) return undefined;
    const unsure = peers.flatMap((peer) =>
      this.#targets(peer, judge)
        .filter(({ address, port }) => judge.isUnsure(this.#direction, address, peer.protocol, port))
        .map(({ address }) => address)
        .filter((address) => !meetings.hasAnswer(address)),
    );
    return unsure.length === 0 ? undefined : meetings.ask(unsure);
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

/** Backends of a virtual port that a partial group may allow. */
function* unmetBackends(key: string, judge: Judge): Generator<string> {
  const protocol = PROTOCOLS.find((one) => key.includes(` ${one}/`));
  const backends = judge.table.services.get(key)?.backends ?? [];
  if (protocol === undefined) return;
  for (const { address, port } of backends.slice(0, BACKENDS_MAX))
    if (judge.isUnsure('egress', address, protocol, port)) yield address;
}

const NO_KEYS: readonly string[] = [];

/** Keys of virtual ports by address. Follows tables: a change costs the virtual ports that came and went. */
class ServiceIndex {
  #services: Services | undefined;
  readonly #byAddress = new Map<string, readonly string[]>();
  readonly #dns = new Set<string>();

  /** Keys of the virtual ports of a virtual address. */
  at(address: string, services: Services): readonly string[] {
    this.#follow(services);
    return this.#byAddress.get(address) ?? NO_KEYS;
  }

  /** Keys of those for lookups of names. */
  dns(services: Services): Iterable<string> {
    this.#follow(services);
    return this.#dns;
  }

  #follow(services: Services): void {
    for (const [key, before, now] of services.since(this.#services)) {
      if (before !== undefined && now !== undefined) continue;
      const address = key.slice(0, key.indexOf(' '));
      const others = (this.#byAddress.get(address) ?? NO_KEYS).filter((one) => one !== key);
      const keys = now === undefined ? others : [...others, key];
      if (keys.length === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, keys);
      if (!key.endsWith(`/${DNS_PORT}`)) continue;
      if (now === undefined) this.#dns.delete(key);
      else this.#dns.add(key);
    }
    this.#services = services;
  }
}
