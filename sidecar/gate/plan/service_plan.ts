/** Where connections to the virtual ports of Services may go. */
import { PersistentMap } from '../../../common/persistent_map.ts';
import type { Backend, Protocol } from '../../../policy/index.ts';
import type { Family } from './address_ranges.ts';

/** One virtual port, planned. The same object as long as it says the same. */
export interface PlannedPort {
  readonly family: Family;
  readonly address: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** Those that policy allows; one of them is taken for each connection. None: what goes to the port is denied. */
  readonly backends: readonly Backend[];
}

/** All of them. */
export interface ServicePlan {
  /** By the key that the table has, `10.96.0.10 TCP/80`. */
  readonly ports: PersistentMap<PlannedPort>;
  /** How many backends ports have: each number once, without zero. */
  readonly counts: ReadonlySet<number>;
  /** By key: virtual ports that policy allows some ready backends of and not others, as `shop/dns 10.96.0.10 UDP/53`. */
  readonly mixed: PersistentMap<string>;
  /** How many virtual ports use some of their backends only, because all would be beyond the bounds. */
  readonly shortened: number;
}

/** How much Services may take in the kernel. */
export interface ServiceBounds {
  /** Backends of all virtual ports; some 150 bytes each. */
  readonly backends: number;
  /** Backends of one virtual port: their change has to fit into one datagram. */
  readonly backendsOfPort: number;
}

/**
 * 5,000 Services of 3 ports with 8 backends each are within. Beyond, each virtual port uses as many backends as all may
 * have; each pod takes others, so that all backends are used.
 */
export const SERVICE_BOUNDS: ServiceBounds = { backends: 1 << 17, backendsOfPort: 1 << 10 };

/** No Services at all. */
export const NO_SERVICES: ServicePlan = {
  ports: PersistentMap.from<PlannedPort>([]),
  counts: new Set(),
  mixed: PersistentMap.from<string>([]),
  shortened: 0,
};

/** Whether there is anything to translate. */
export function translates({ counts }: ServicePlan): boolean {
  return counts.size > 0;
}
