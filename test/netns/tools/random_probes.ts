/** Every flow of TCP that can be tried in the lab of a random cluster. */

import { familyOf } from '../../../common/net.ts';
import type { ApiCluster, ApiPod } from '../../builders/api_objects.ts';
import { PORTS } from '../../builders/random_cluster.ts';

/** One end of a flow. */
export interface FlowEnd {
  /** Where it is in a lab: `namespace/pod`, `node/NAME`, `outside`. */
  readonly target: string;
  /** `namespace/pod`; absent: no pod has the address. */
  readonly pod?: string;
  readonly address: string;
}

/** One flow. */
export interface Probe {
  readonly from: FlowEnd;
  readonly to: FlowEnd;
  readonly port: number;
  /** A pod and the node it is on: that always passes, and so is in no graph and no description. */
  readonly isOwnNode: boolean;
  /** Whether it is of the family that commands speak of, where they are asked by names: the first that both ends have. */
  readonly isPreferred: boolean;
}

/** Connections of a pod to a cluster address. */
export interface ServiceProbe {
  readonly from: FlowEnd;
  readonly address: string;
  readonly port: number;
}

/** Between pods, between pods and what is outside, and from nodes to pods, by each address and at each port that is served. */
export function probesOf(
  { pods = [], nodes = [] }: ApiCluster,
  outside: readonly string[],
): readonly Probe[] {
  const strangers = outside.map((address): FlowEnd => ({ target: 'outside', address }));
  const ofNodes = nodes.flatMap(({ metadata, status }) =>
    status.addresses.map(({ address }): FlowEnd => ({ target: `node/${metadata.name}`, address })),
  );
  return pods.flatMap((pod) => {
    const own = endsOf(pod);
    const others = pods.filter((other) => other !== pod).flatMap(endsOf);
    const pairs = own.flatMap((to) => [
      ...[...others, ...strangers, ...ofNodes].map((from) => ({ from, to })),
      ...strangers.map((stranger) => ({ from: to, to: stranger })),
    ]);
    return pairs
      .filter(({ from, to }) => familyOf(from.address) === familyOf(to.address))
      .flatMap(({ from, to }) =>
        PORTS.map((port) => ({
          from,
          to,
          port,
          isOwnNode: from.target === `node/${pod.spec.nodeName}`,
          isPreferred: isPreferred(from, to, pods),
        })),
      );
  });
}

/** From each pod to each cluster address that has a backend of its family. */
export function serviceProbesOf({ pods = [], services = [] }: ApiCluster): readonly ServiceProbe[] {
  return services.flatMap(({ metadata, spec }) =>
    (spec.clusterIPs ?? []).flatMap((address) =>
      (spec.ports ?? []).flatMap(({ port, targetPort }) => {
        const hasBackend = pods.some(
          (pod) =>
            pod.metadata.namespace === metadata.namespace &&
            Object.entries(spec.selector ?? {}).every(([key, value]) => hasLabel(pod, key, value)) &&
            endsOf(pod).some((end) => familyOf(end.address) === familyOf(address)) &&
            (typeof targetPort === 'number' || hasPort(pod, targetPort)),
        );
        const sources = pods.flatMap(endsOf).filter((end) => familyOf(end.address) === familyOf(address));
        return hasBackend ? sources.map((from) => ({ from, address, port })) : [];
      }),
    ),
  );
}

/** For people. */
export function probeText({ from, to, port }: Probe): string {
  return `${endText(from)} -> ${endText(to)}:${port}`;
}

/** For people. */
export function serviceProbeText({ from, address, port }: ServiceProbe): string {
  return `${endText(from)} -> ${address}:${port}`;
}

function endText({ target, address }: FlowEnd): string {
  return `${target} (${address})`;
}

function endsOf(pod: ApiPod): readonly FlowEnd[] {
  const key = keyOf(pod);
  return addressesOf(pod).map((address) => ({ target: key, pod: key, address }));
}

function isPreferred(from: FlowEnd, to: FlowEnd, pods: readonly ApiPod[]): boolean {
  const [source, destination] = [from, to].map(({ pod: key }) => pods.find((pod) => keyOf(pod) === key));
  if (source === undefined || destination === undefined) return true;
  const families = addressesOf(destination).map(familyOf);
  return addressesOf(source).find((address) => families.includes(familyOf(address))) === from.address;
}

function keyOf({ metadata }: ApiPod): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function addressesOf({ status }: ApiPod): readonly string[] {
  return (status.podIPs ?? []).map(({ ip }) => ip);
}

function hasLabel({ metadata: { labels = {} } }: ApiPod, key: string, value: string): boolean {
  return Object.hasOwn(labels, key) && labels[key] === value;
}

function hasPort({ spec }: ApiPod, wanted: string | undefined): boolean {
  return spec.containers
    .flatMap(({ ports = [] }) => ports)
    .some(({ name, protocol = 'TCP' }) => name === wanted && protocol === 'TCP');
}
