/** Where a Service sends connections: the endpoints that the manifests say, else the pods that it selects. */
import { SluiceError } from '../../common/errors.ts';
import {
  addressOwners,
  type Cluster,
  type Endpoint,
  familyOf,
  isLive,
  type Labels,
  nodeAddresses,
  objectKey,
  type Pod,
  type Service,
  type ServicePort,
} from '../../policy/index.ts';
import type { RawLabels, Workloads } from '../../sources/index.ts';
import type { Party } from './endpoint_resolver.ts';
import type { Front } from './service_fronts.ts';

/** One backend: who it is, and the port that policy sees. */
export interface Backend {
  readonly party: Party;
  readonly port: number;
}

/** Finds the backends of Services of one cluster. */
export interface Backends {
  /**
   * The ready backends of a Service's port, each once.
   * @param address Of which family they are; undefined: that of the Service's first address
   * @throws SluiceError `ENDPOINT_UNKNOWN` when it has none: nodes refuse connections to it
   */
  find(service: Service, port: ServicePort, address: string | undefined): readonly Backend[];
  /**
   * Those that a node sends a connection to: with `externalTrafficPolicy: Local` its own, unless a pod asks.
   * @throws SluiceError `ENDPOINT_UNKNOWN` when it has none: it drops the connection
   */
  reachedFrom(source: Party, found: readonly Backend[], service: Service, front: Front): readonly Backend[];
}

/** What depends on the cluster only is worked out once. */
export function createBackends(cluster: Cluster, workloads: Workloads): Backends {
  const owners = addressOwners(cluster);
  const slicesByService = Map.groupBy(cluster.endpointSlices.values(), ({ namespace, service }) =>
    objectKey(namespace, service ?? ''),
  );
  const podsByNamespace = Map.groupBy(
    [...cluster.pods.values()].filter(isLive),
    ({ namespace }) => namespace,
  );

  const ofSlices = (
    service: Service,
    port: ServicePort,
    family: string | undefined,
  ): Backend[] | undefined => {
    const slices = slicesByService.get(objectKey(service.namespace, service.name));
    if (slices === undefined) return undefined;
    const found = new Map<string, Backend>();
    for (const slice of slices)
      for (const target of slice.ports)
        for (const { addresses, ready } of slice.endpoints) {
          // addresses: all of one endpoint lead to the same place, so the first one does.
          const [address] = addresses;
          const isOther = target.name !== port.name || target.protocol !== port.protocol;
          if (isOther || !ready || address === undefined) continue;
          if (family !== undefined && familyOf(address) !== familyOf(family)) continue;
          const pod = owners.get(address);
          const party: Party = {
            text: address,
            endpoint: { kind: 'address', address },
            fromTemplate: false,
            ...(pod === undefined ? {} : { pod }),
          };
          found.set(`${address} ${target.port}`, { party, port: service.headless ? port.port : target.port });
        }
    return [...found.values()];
  };

  const ofPods = (service: Service, port: ServicePort, family: string | undefined): Backend[] => {
    const { namespace, selector } = service;
    if (selector === undefined) return [];
    const selected = (podsByNamespace.get(namespace) ?? []).filter(({ labels }) =>
      isSelected(labels, selector),
    );
    const templates = workloads.templatePods(namespace, (labels) => isSelected(labels, selector));
    return [...selected, ...templates].flatMap((pod, index) => {
      const target = targetPort(service, port, pod);
      const endpoint = endpointOf(pod, family);
      if (target === undefined || endpoint === undefined) return [];
      const fromTemplate = index >= selected.length;
      const party: Party = { text: pod.name, endpoint, pod, fromTemplate };
      return [{ party, port: target }];
    });
  };

  /** Unknown where its manifest names no node: then it may be this one. */
  const mayBeOn = (address: string, { pod }: Party): boolean => {
    const own = pod === undefined ? [] : nodeAddresses(cluster, pod);
    return own.length === 0 || own.includes(address);
  };

  return {
    reachedFrom(source, found, service, front) {
      const isOfPod = source.pod !== undefined && !source.pod.hostNetwork;
      if (front.kind !== 'node' || service.localTraffic !== true || isOfPod) return found;
      const own = found.filter(({ party }) => mayBeOn(front.address, party));
      if (own.length > 0) return own;
      throw new SluiceError(
        'ENDPOINT_UNKNOWN',
        `Service ${objectKey(service.namespace, service.name)} has externalTrafficPolicy: Local and no ready backend on ` +
          `node ${front.address}: it drops connections from outside`,
      );
    },
    find(service, port, address) {
      const { selector } = service;
      const family = address ?? service.clusterIPs[0];
      const found = ofSlices(service, port, family) ?? ofPods(service, port, family);
      if (found.length > 0) return found;
      const labels = Object.entries(selector ?? {}).map(([key, value]) => `${key}=${value}`);
      const why = selector === undefined ? 'it has no selector' : `its selector is ${labels.join(',')}`;
      throw new SluiceError(
        'ENDPOINT_UNKNOWN',
        `Service ${objectKey(service.namespace, service.name)} has no ready backend for ` +
          `${port.protocol}/${port.port} in the manifests (${why}): nodes refuse connections to it`,
      );
    },
  };
}

/**
 * A pod as connections to a Service's address meet it: by its own address of that family, for blocks of policies may hold one of its
 * addresses only. Undefined where it has none; the pod itself where its addresses, or the Service's, are not known.
 */
function endpointOf(pod: Pod, family: string | undefined): Endpoint | undefined {
  if (family === undefined || pod.ips.length === 0) return { kind: 'pod', pod };
  const address = pod.ips.find((ip) => familyOf(ip) === familyOf(family));
  return address === undefined ? undefined : { kind: 'address', address };
}

function isSelected(labels: RawLabels, selector: Labels): boolean {
  return Object.entries(selector).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}

/** `targetPort`: a number as it is, a name as the pod declares it; a pod without the name is no backend. */
function targetPort({ headless }: Service, port: ServicePort, pod: Pod): number | undefined {
  // clusterIP None: nobody translates, the client goes to the pod's own port of this number.
  if (headless) return port.port;
  if (typeof port.targetPort === 'number') return port.targetPort;
  return pod.ports.find(({ name, protocol }) => name === port.targetPort && protocol === port.protocol)?.port;
}
