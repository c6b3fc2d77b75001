/** Virtual ports: what the addresses of a cluster's Services stand for, in the form tables carry. */

import type { Family } from '../../common/net.ts';
import { familyOf } from '../addresses/index.ts';
import { compareTexts, objectKey } from '../key.ts';
import type { Cluster, EndpointSlice, Service, ServicePort } from '../model.ts';
import type { Backend, VirtualPort } from '../table/index.ts';
import { ServiceMap, sameData, virtualKey } from '../table/index.ts';
import { SetIndex } from './set_index.ts';

function compareBackends(a: Backend, b: Backend): number {
  return compareTexts(a.address, b.address) || a.port - b.port;
}

/** The ready backends of one port in one family, each once. Ports go together by name and protocol, as in kube-proxy. */
function readyBackends(port: ServicePort, family: Family, slices: readonly EndpointSlice[]): Backend[] {
  const backends = new Map<string, Backend>();
  for (const slice of slices) {
    const targets = slice.ports.filter(
      ({ name, protocol }) => name === port.name && protocol === port.protocol,
    );
    if (targets.length === 0) continue;
    for (const { addresses, ready } of slice.endpoints) {
      // addresses: all of one endpoint lead to the same place, so the first one does.
      const [address] = addresses;
      if (!ready || address === undefined || familyOf(address) !== family) continue;
      for (const target of targets) {
        backends.set(`${address} ${target.port}`, { address, port: target.port });
      }
    }
  }
  return [...backends.values()].sort(compareBackends);
}

function virtualPortsOf(service: Service, slices: readonly EndpointSlice[]): [string, VirtualPort][] {
  const { namespace, name, clusterIPs, ports, affinitySeconds } = service;
  const affinity = affinitySeconds === undefined ? {} : { affinitySeconds };
  return clusterIPs.flatMap((address) =>
    ports.map((port): [string, VirtualPort] => {
      const backends = readyBackends(port, familyOf(address), slices);
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
  /** EndpointSlices by key, within the key of their Service. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  readonly #byService = new Map<string, ReadonlyMap<string, VirtualPort>>();
  /** Services that claim a virtual port; a real cluster lets one have it. */
  readonly #claims = new SetIndex<string>();
  /** Changes since `#map` was made. */
  readonly #changes = new Map<string, VirtualPort | undefined>();
  #map = ServiceMap.from([]);
  #committed = this.#map;

  /** By virtual key; the same map until something changes. */
  get map(): ServiceMap {
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
    this.#remake(key);
  }

  /** Replaces the EndpointSlice of this key; it may go from one Service to another. */
  setSlice(key: string, before: EndpointSlice | undefined, after: EndpointSlice | undefined): void {
    const [left, joined] = [serviceOf(before), serviceOf(after)];
    if (left !== undefined && left !== joined) {
      this.#slices.get(left)?.delete(key);
      if (this.#slices.get(left)?.size === 0) this.#slices.delete(left);
      this.#remake(left);
    }
    if (joined === undefined || after === undefined) return;
    const slices = this.#slices.get(joined) ?? new Map<string, EndpointSlice>();
    this.#slices.set(joined, slices.set(key, after));
    this.#remake(joined);
  }

  #remake(serviceKey: string): void {
    const service = this.#services.get(serviceKey);
    const slices = [...(this.#slices.get(serviceKey)?.values() ?? [])];
    const before = this.#byService.get(serviceKey);
    const after = new Map(service === undefined ? [] : virtualPortsOf(service, slices));
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
