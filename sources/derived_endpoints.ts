/**
 * Endpoints of Services that come with a selector and without EndpointSlices: derived from the pods, as a cluster's
 * endpoint controller does. They stand in the store like the user's, so that the injector has them too. A pod is ready
 * when it is Running.
 */

import { createHash } from 'node:crypto';
import { fieldsOf } from '../common/shape.ts';
import type { Cluster, EndpointPort, Pod, Service, ServicePort } from '../policy/index.ts';
import { familyOf, isLive, SERVICE_NAME_LABEL } from '../policy/index.ts';
import { clusterOf } from './cluster_merge.ts';
import type { Manifests } from './manifests.ts';
import { type DocumentObject, type RawManifest, readDocument } from './objects/index.ts';

/** The label that says who keeps a slice (discovery.k8s.io/v1, `LabelManagedBy`), and the lab's value of it. */
const MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by';
const LAB_MANAGER = 'sluice-lab';

/** Digits of a hash in a slice's name: enough for the few slices of a Service. */
const NAME_HASH_LENGTH = 8;

/** Endpoints of a Service that have the same ports, in one family: what one slice holds. */
interface SliceDraft {
  readonly addressType: 'IPv4' | 'IPv6';
  readonly ports: readonly EndpointPort[];
  readonly endpoints: { readonly address: string; readonly ready: boolean }[];
}

/** Whether the lab derived this object itself. */
export function isDerived(object: DocumentObject): boolean {
  if (object.kind !== 'EndpointSlice') return false;
  const { labels } = fieldsOf(object.raw.metadata);
  return fieldsOf(labels)[MANAGED_BY_LABEL] === LAB_MANAGER;
}

/** The slices that the lab adds to objects, of which those derived before are left out of account. */
export function deriveEndpoints(objects: readonly DocumentObject[]): DocumentObject[] {
  const cluster = clusterOf(objects.filter((object) => !isDerived(object)));
  const served = new Set(
    [...cluster.endpointSlices.values()].map(({ namespace, service }) => `${namespace}/${service}`),
  );
  return [...cluster.services]
    .filter(([key, { selector, clusterIPs }]) => selector && clusterIPs.length > 0 && !served.has(key))
    .flatMap(([, service]) => draftSlices(service, cluster).map((draft) => sliceManifest(service, draft)))
    .flatMap((manifest) => readDocument(JSON.stringify(manifest), 1).objects);
}

/** The cluster of manifests, with the endpoints that a cluster's controller would make. */
export function withEndpoints({ objects }: Pick<Manifests, 'objects'>): Cluster {
  return clusterOf([...objects, ...deriveEndpoints(objects)]);
}

function draftSlices(service: Service, cluster: Cluster): SliceDraft[] {
  const drafts = new Map<string, SliceDraft>();
  for (const pod of cluster.pods.values()) {
    if (!isLive(pod) || !isSelected(pod, service)) continue;
    const ports = service.ports.flatMap((port) => targetOf(port, pod) ?? []);
    for (const address of pod.ips) {
      const addressType = familyOf(address) === 6 ? 'IPv6' : 'IPv4';
      // Named target ports may differ from pod to pod, and a slice has one list of ports.
      const key = JSON.stringify([addressType, ports]);
      const draft = drafts.get(key) ?? { addressType, ports, endpoints: [] };
      drafts.set(key, draft);
      draft.endpoints.push({ address, ready: pod.phase === 'Running' });
    }
  }
  return [...drafts.values()];
}

function isSelected(pod: Pod, { namespace, selector = {} }: Service): boolean {
  return (
    pod.namespace === namespace &&
    Object.entries(selector).every(
      ([key, value]) => Object.hasOwn(pod.labels, key) && pod.labels[key] === value,
    )
  );
}

/** `targetPort`: a number as it is, a name as the pod declares it; a pod without the name has no such port. */
function targetOf({ name, protocol, targetPort }: ServicePort, pod: Pod): EndpointPort | undefined {
  const port =
    typeof targetPort === 'number'
      ? targetPort
      : pod.ports.find((own) => own.name === targetPort && own.protocol === protocol)?.port;
  if (port === undefined) return undefined;
  return { ...(name === undefined ? {} : { name }), protocol, port };
}

function sliceManifest(service: Service, { addressType, ports, endpoints }: SliceDraft): RawManifest {
  const hash = createHash('sha256')
    .update(JSON.stringify([addressType, ports]))
    .digest('hex');
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: service.namespace,
      name: `${service.name}-lab-${hash.slice(0, NAME_HASH_LENGTH)}`,
      labels: { [SERVICE_NAME_LABEL]: service.name, [MANAGED_BY_LABEL]: LAB_MANAGER },
    },
    addressType,
    ports,
    endpoints: endpoints.map(({ address, ready }) => ({ addresses: [address], conditions: { ready } })),
  };
}
