/**
 * Which Service a connection meets at an address: by the Service's own addresses, inside the cluster and outside, and by
 * the ports that nodes have for it. Source: core v1 `ServiceSpec` `clusterIPs`, `externalIPs`, `nodePort`.
 */
import { type Cluster, isLive, objectKey, type Service, type ServicePort } from '../../policy/index.ts';
import { type PortRef, servicePort } from './port_ref.ts';

/** Where a Service was met. Outside addresses and nodes translate only after the source's egress was judged. */
export type Front =
  | { readonly kind: 'cluster' | 'external' /** Canonical. */; readonly address: string }
  | {
      readonly kind: 'node';
      /** Canonical. */
      readonly address: string;
      readonly nodePort: number;
      /** The Service's own port behind it. */
      readonly port: ServicePort;
    };

/**
 * Whether pods see the node's address in the place of the source's: by kube-proxy always at a node's port, unless the Service
 * has `externalTrafficPolicy: Local`. At other addresses it is not known which node takes the connection.
 */
export function hidesSource({ localTraffic }: Service, front: Front): boolean {
  return front.kind === 'node' && localTraffic !== true;
}

/** A Service that was met at an address. */
export interface MetService {
  readonly service: Service;
  readonly front: Front;
}

/** Knows the addresses of Services of one cluster. */
export interface ServiceFronts {
  /**
   * The Service that a connection meets; `undefined` where it meets none. Also one without such a port, where the address
   * is a Service's and nobody else's.
   */
  find(address: string, ref: PortRef): MetService | undefined;
  /** The Service that an address belongs to, at any port. */
  ownerOf(address: string): Service | undefined;
}

/** Indexes the cluster once. Of Services that claim the same the first by key has it. */
export function createServiceFronts(cluster: Cluster): ServiceFronts {
  const services = [...cluster.services.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const inside = new Map<string, Service>();
  const outside = new Map<string, Service[]>();
  const nodePorts = new Map<string, { readonly service: Service; readonly port: ServicePort }>();
  for (const service of services) {
    for (const address of service.clusterIPs) if (!inside.has(address)) inside.set(address, service);
    for (const address of service.externalIPs ?? []) {
      const sharing = outside.get(address);
      if (sharing === undefined) outside.set(address, [service]);
      else sharing.push(service);
    }
    for (const port of service.ports) {
      const key = `${port.protocol}/${port.nodePort}`;
      if (port.nodePort !== undefined && !nodePorts.has(key)) nodePorts.set(key, { service, port });
    }
  }
  const nodes = addressesOfNodes(cluster);

  const ownerOf = (address: string): Service | undefined =>
    inside.get(address) ?? (nodes.has(address) ? undefined : outside.get(address)?.[0]);

  return {
    ownerOf,
    find(address, ref) {
      const own = inside.get(address);
      if (own !== undefined) return { service: own, front: { kind: 'cluster', address } };
      // One outside address may stand for several Services, each with ports of its own, and be a node's as well.
      const sharing = outside.get(address)?.find((service) => servicePort(ref, service) !== undefined);
      if (sharing !== undefined) return { service: sharing, front: { kind: 'external', address } };
      const met = nodes.has(address) ? nodePorts.get(`${ref.protocol}/${ref.port}`) : undefined;
      if (met !== undefined)
        return {
          service: met.service,
          front: { kind: 'node', address, nodePort: Number(ref.port), port: met.port },
        };
      const owner = ownerOf(address);
      return owner === undefined ? undefined : { service: owner, front: { kind: 'external', address } };
    },
  };
}

/** As the nodes say, and their pods. */
function addressesOfNodes({ nodes, pods }: Cluster): ReadonlySet<string> {
  const ofPods = [...pods.values()].filter(isLive).flatMap(({ hostIPs }) => hostIPs);
  return new Set([...[...nodes.values()].flatMap(({ addresses }) => addresses), ...ofPods]);
}

function keyOf({ namespace, name }: Service): string {
  return objectKey(namespace, name);
}
