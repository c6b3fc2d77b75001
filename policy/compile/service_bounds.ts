/**
 * How much of a Service counts. A tenant that may write EndpointSlices could make one Service of any size, which stands in the
 * tables of all pods that are isolated for egress. What is beyond a bound is left out, and its virtual ports stay: connections
 * go to the other backends, and none is let through for it. Without the port its address would be judged as if nothing were behind it.
 */

import type { EndpointSlice, ServiceEndpoint } from '../model.ts';
import type { Backend } from '../table/index.ts';

/** Bounds on one Service; whole numbers from 1. */
export interface ServiceLimits {
  /** EndpointSlices, the first ones by name. The controller of Kubernetes makes one for 100 endpoints. */
  readonly maxSlices: number;
  /** Endpoints of all slices, ready or not, each once for each port of its slice. */
  readonly maxEndpoints: number;
  /** Ready backends of one virtual port. */
  readonly maxBackends: number;
}

/**
 * 5,000 pods of 4 ports each are within. A kernel uses 1,024 backends of a port at most. A Service of this size is worked out
 * in some 20 ms, and again with each commit that changes it.
 */
export const DEFAULT_SERVICE_LIMITS: ServiceLimits = {
  maxSlices: 1_000,
  maxEndpoints: 20_000,
  maxBackends: 10_000,
};

/** As much of a slice as counts. */
export interface BoundedSlice {
  readonly ports: EndpointSlice['ports'];
  readonly endpoints: readonly ServiceEndpoint[];
}

/** Holds one Service to the bounds. */
export class BoundCheck {
  readonly #limits: ServiceLimits;
  #excess: string | undefined;

  constructor(limits: ServiceLimits) {
    this.#limits = limits;
  }

  /** Which bound the Service is beyond; undefined: none. The first that was met. */
  get excess(): string | undefined {
    return this.#excess;
  }

  /** @param all in the order of their names */
  slices(all: { readonly size: number; values(): Iterable<EndpointSlice> } | undefined): BoundedSlice[] {
    const { maxSlices, maxEndpoints } = this.#limits;
    if (all === undefined) return [];
    if (all.size > maxSlices)
      this.#beyond(`${all.size} EndpointSlices, the first ${maxSlices} by name count`);
    const counted: BoundedSlice[] = [];
    let seen = 0;
    let room = maxEndpoints;
    for (const { ports, endpoints } of all.values()) {
      seen += 1;
      if (seen > maxSlices) break;
      const each = Math.max(1, ports.length);
      const fitting = Math.floor(room / each);
      counted.push({
        ports,
        endpoints: fitting < endpoints.length ? endpoints.slice(0, fitting) : endpoints,
      });
      room -= Math.min(fitting, endpoints.length) * each;
      if (fitting >= endpoints.length) continue;
      this.#beyond(
        `more than ${maxEndpoints} endpoints, each counted for each of its ports, those of the first EndpointSlices by name count`,
      );
      break;
    }
    return counted;
  }

  /** @param all in the order of the slices */
  backends(all: Backend[]): Backend[] {
    const { maxBackends } = this.#limits;
    if (all.length <= maxBackends) return all;
    this.#beyond(
      `more than ${maxBackends} backends at one port, those of the first EndpointSlices by name count`,
    );
    return all.slice(0, maxBackends);
  }

  #beyond(what: string): void {
    this.#excess ??= `has ${what}: pods that egress policy isolates reach no others through it`;
  }
}
