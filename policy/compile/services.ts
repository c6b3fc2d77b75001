/** Virtual ports: what the addresses of a cluster's Services stand for, in the form tables carry. */

import type { Family } from '../../common/net.ts';
import { familyOf } from '../addresses/index.ts';
import { compareTexts, objectKey } from '../key.ts';
import type { Cluster, EndpointSlice, Protocol, Service, ServiceEndpoint } from '../model.ts';
import type { Backend, VirtualPort } from '../table/index.ts';
import { ServiceMap, sameData, virtualKey } from '../table/index.ts';
import {
  BoundCheck,
  type BoundedSlice,
  DEFAULT_SERVICE_LIMITS,
  type ServiceLimits,
} from './service_bounds.ts';
import { SetIndex } from './set_index.ts';
import { SortedEntries } from './sorted_entries.ts';

function compareBackends(a: Backend, b: Backend): number {
  return compareTexts(a.address, b.address) || a.port - b.port;
}

/** The endpoints of one slice at one of its ports. */
interface Served {
  readonly endpoints: readonly ServiceEndpoint[];
  readonly port: number;
}

function portKey(protocol: Protocol, name: string | undefined): string {
  return name === undefined ? protocol : `${protocol} ${name}`;
}

/** By name and protocol of the port: ports go together by these, as in kube-proxy. */
function servedBy(slices: readonly BoundedSlice[]): ReadonlyMap<string, readonly Served[]> {
  const served = new Map<string, Served[]>();
  for (const { ports, endpoints } of slices) {
    for (const { name, protocol, port } of ports) {
      const key = portKey(protocol, name);
      const list = served.get(key);
      if (list === undefined) served.set(key, [{ endpoints, port }]);
      else list.push({ endpoints, port });
    }
  }
  return served;
}

/** The ready backends of one port in one family, each once. */
function readyBackends(family: Family, served: readonly Served[]): Backend[] {
  const backends = new Map<string, Backend>();
  for (const { endpoints, port } of served) {
    for (const { addresses, ready } of endpoints) {
      // addresses: all of one endpoint lead to the same place, so the first one does.
      const [address] = addresses;
      if (ready && address !== undefined && familyOf(address) === family)
        backends.set(`${address} ${port}`, { address, port });
    }
  }
  return [...backends.values()];
}

/** A Service's virtual ports, each with as many of its backends as it may have. */
function virtualPortsOf(
  service: Service,
  slices: readonly BoundedSlice[],
  bounds: BoundCheck,
): [string, VirtualPort][] {
  const { namespace, name, clusterIPs, ports, affinitySeconds } = service;
  const affinity = affinitySeconds === undefined ? {} : { affinitySeconds };
  const served = servedBy(slices);
  return clusterIPs.flatMap((address) =>
    ports.map((port): [string, VirtualPort] => {
      const found = readyBackends(familyOf(address), served.get(portKey(port.protocol, port.name)) ?? []);
      const backends = bounds.backends(found).sort(compareBackends);
      return [
        virtualKey(address, port.protocol, port.port),
        { namespace, name, ...(port.name === undefined ? {} : { port: port.name }), backends, ...affinity },
      ];
    }),
  );
}

/** The virtual ports of a cluster's Services, kept current object by object. */
export class VirtualPorts {
  readonly #services = new Map<string, Service>();
  /** EndpointSlices by the key of their Service. */
  readonly #slices = new Map<string, SortedEntries<EndpointSlice>>();
  readonly #limits: ServiceLimits;
  /** Services that have changed since `#map` was made: one of many slices is made again once for all that changes together. */
  readonly #changed = new Set<string>();
  readonly #excess = new Map<string, string>();
  readonly #byService = new Map<string, ReadonlyMap<string, VirtualPort>>();
  /** Services that claim a virtual port; a real cluster lets one have it. */
  readonly #claims = new SetIndex<string>();
  /** Changes since `#map` was made. */
  readonly #changes = new Map<string, VirtualPort | undefined>();
  #map = ServiceMap.from([]);
  #committed = this.#map;

  constructor(limits: ServiceLimits = DEFAULT_SERVICE_LIMITS) {
    this.#limits = limits;
  }

  /** By key: Services that have more than the bounds allow, and which bound. As of the last look at `map`. */
  get excess(): ReadonlyMap<string, string> {
    return this.#excess;
  }

  /** By virtual key; the same map until something changes. */
  get map(): ServiceMap {
    for (const key of this.#changed) this.#remake(key);
    this.#changed.clear();
    this.#map = this.#map.with(this.#changes);
    this.#changes.clear();
    return this.#map;
  }

  /** Whether anything changed since the last commit. */
  get isChanged(): boolean {
    return this.map !== this.#committed;
  }

  /** Ends the change set. */
  commit(): void {
    this.#committed = this.map;
  }

  /** Replaces the Service of this key `namespace/name`; `undefined`: it is gone. */
  setService(key: string, service: Service | undefined): void {
    if (service === undefined) this.#services.delete(key);
    else this.#services.set(key, service);
    this.#changed.add(key);
  }

  /** Replaces the EndpointSlice of this key; it may go from one Service to another. */
  setSlice(key: string, before: EndpointSlice | undefined, after: EndpointSlice | undefined): void {
    const [left, joined] = [serviceOf(before), serviceOf(after)];
    if (left !== undefined && left !== joined) {
      this.#slices.get(left)?.delete(key);
      if (this.#slices.get(left)?.size === 0) this.#slices.delete(left);
      this.#changed.add(left);
    }
    if (joined === undefined || after === undefined) return;
    const slices = this.#slices.get(joined) ?? new SortedEntries<EndpointSlice>();
    slices.set(key, after);
    this.#slices.set(joined, slices);
    this.#changed.add(joined);
  }

  #remake(serviceKey: string): void {
    const service = this.#services.get(serviceKey);
    const bounds = new BoundCheck(this.#limits);
    const slices = service === undefined ? [] : bounds.slices(this.#slices.get(serviceKey));
    const before = this.#byService.get(serviceKey);
    const after = new Map(service === undefined ? [] : virtualPortsOf(service, slices, bounds));
    if (bounds.excess === undefined) this.#excess.delete(serviceKey);
    else this.#excess.set(serviceKey, bounds.excess);
    for (const [key, port] of after) {
      const known = before?.get(key);
      if (known !== undefined && sameData(known, port)) after.set(key, known);
    }
    if (after.size === 0) this.#byService.delete(serviceKey);
    else this.#byService.set(serviceKey, after);
    for (const key of before?.keys() ?? []) if (!after.has(key)) this.#claims.delete(key, serviceKey);
    for (const key of after.keys()) this.#claims.add(key, serviceKey);
    for (const key of new Set([...(before?.keys() ?? []), ...after.keys()])) this.#decide(key);
  }

  /** Of several Services the first by `namespace/name` has a virtual port. */
  #decide(key: string): void {
    const [first] = [...this.#claims.get(key)].sort(compareTexts);
    const port = first === undefined ? undefined : this.#byService.get(first)?.get(key);
    this.#changes.set(key, port);
  }
}

/** The key of the Service that a slice belongs to, `namespace/name`; undefined where there is none. */
export function serviceOf(slice: EndpointSlice | undefined): string | undefined {
  return slice?.service === undefined ? undefined : objectKey(slice.namespace, slice.service);
}

/** The virtual ports of a cluster as it is. */
export function virtualPorts(cluster: Cluster): ServiceMap {
  const ports = new VirtualPorts();
  for (const [key, slice] of cluster.endpointSlices) ports.setSlice(key, undefined, slice);
  for (const [key, service] of cluster.services) ports.setService(key, service);
  return ports.map;
}
