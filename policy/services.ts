/** Virtual ports: what the addresses of a cluster's Services stand for, in the form tables carry. */

import { compareTexts, objectKey, sortedRecord } from './key.ts';
import type { Cluster, EndpointSlice, Protocol, Service, ServicePort } from './model.ts';
import { reuseEntries } from './same_data.ts';
import type { Backend, VirtualPort } from './table.ts';

/** The virtual ports of one Service, by key, and the objects they were made from. */
interface ServicePorts {
  readonly service: Service;
  readonly slices: readonly EndpointSlice[];
  readonly ports: readonly (readonly [string, VirtualPort])[];
}

/** The virtual ports of one cluster, and the objects they were made from. */
export interface VirtualPorts {
  readonly byKey: Readonly<Record<string, VirtualPort>>;
  readonly byService: ReadonlyMap<string, ServicePorts>;
  readonly services: Cluster['services'];
  readonly endpointSlices: Cluster['endpointSlices'];
}

/** The key of a virtual port in a table: `10.96.0.10 TCP/80`. The address is canonical. */
export function virtualKey(address: string, protocol: Protocol, port: number): string {
  return `${address} ${protocol}/${port}`;
}

function slicesByService(cluster: Cluster): Map<string, EndpointSlice[]> {
  const slices = new Map<string, EndpointSlice[]>();
  for (const slice of cluster.endpointSlices.values()) {
    if (slice.service === undefined) continue;
    const key = objectKey(slice.namespace, slice.service);
    const list = slices.get(key);
    if (list === undefined) slices.set(key, [slice]);
    else list.push(slice);
  }
  return slices;
}

function compareBackends(a: Backend, b: Backend): number {
  return compareTexts(a.address, b.address) || a.port - b.port;
}

/** The ready backends of one port in one family, each once. Ports go together by name and protocol, as in kube-proxy. */
function readyBackends(port: ServicePort, isIPv6: boolean, slices: readonly EndpointSlice[]): Backend[] {
  const backends = new Map<string, Backend>();
  for (const slice of slices) {
    const targets = slice.ports.filter(
      ({ name, protocol }) => name === port.name && protocol === port.protocol,
    );
    if (targets.length === 0) continue;
    for (const { addresses, ready } of slice.endpoints) {
      // addresses: all of one endpoint lead to the same place, so the first one does.
      const [address] = addresses;
      if (!ready || address === undefined || address.includes(':') !== isIPv6) continue;
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
      const backends = readyBackends(port, address.includes(':'), slices);
      return [
        virtualKey(address, port.protocol, port.port),
        { namespace, name, ...(port.name === undefined ? {} : { port: port.name }), backends, ...affinity },
      ];
    }),
  );
}

/** The ports of one Service; those of `previous` where they were made from the very same objects. */
function portsOfService(
  service: Service,
  slices: readonly EndpointSlice[],
  previous: ServicePorts | undefined,
): ServicePorts {
  const same =
    previous?.service === service &&
    previous.slices.length === slices.length &&
    previous.slices.every((slice, i) => slice === slices[i]);
  return same ? previous : { service, slices, ports: virtualPortsOf(service, slices) };
}

/**
 * Makes the virtual ports of a cluster. Of two Services that claim one address and port, which a cluster does not let
 * happen, the first by `namespace/name` has it. What says the same as in `previous` is the same object, and only
 * Services whose objects changed are looked into.
 */
export function createVirtualPorts(cluster: Cluster, previous?: VirtualPorts): VirtualPorts {
  const { services, endpointSlices } = cluster;
  if (previous?.services === services && previous.endpointSlices === endpointSlices) return previous;
  const slices = slicesByService(cluster);
  const byService = new Map<string, ServicePorts>();
  const byKey = new Map<string, VirtualPort>();
  const ordered = [...services].sort(([a], [b]) => compareTexts(a, b));
  for (const [serviceKey, service] of ordered) {
    const own = portsOfService(service, slices.get(serviceKey) ?? [], previous?.byService.get(serviceKey));
    byService.set(serviceKey, own);
    for (const [key, port] of own.ports) {
      if (!byKey.has(key)) byKey.set(key, port);
    }
  }
  const record = reuseEntries(sortedRecord(byKey), previous?.byKey);
  return { byKey: record, byService, services, endpointSlices };
}
