/**
 * Who lives where in a lab: pure data made from a cluster's objects. Every pod has a network namespace, every node
 * is a router, and `outside` stands for the rest of the world. `network_plan.ts` turns it into `ip` commands.
 */

import { SluiceError } from '../../common/errors.ts';
import { familyOf } from '../../common/net.ts';
import type { Cluster, ContainerPort, Pod } from '../../policy/index.ts';
import { isLive, objectKey } from '../../policy/index.ts';
import { nodeNetns, outsideNetns, podNetns } from '../names/index.ts';

/** A node: a router with a bridge that its pods hang on. */
export interface LabNode {
  readonly name: string;
  /** 1 to 253, for as long as the lab lives: the last part of the addresses the lab itself needs. */
  readonly index: number;
  readonly netns: string;
  /** Canonical addresses: those of the Node object, else what its pods give as `status.hostIPs`. */
  readonly addresses: readonly string[];
}

/** A pod that runs in the lab. */
export interface LabPod {
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** Its own namespace; its node's for a host-network pod. */
  readonly netns: string;
  /** Name of its `LabNode`. */
  readonly node: string;
  readonly ips: readonly string[];
  readonly ports: readonly ContainerPort[];
  /** No namespace and no sidecar of its own. */
  readonly hostNetwork: boolean;
}

/** Everything that has a place in the lab. */
export interface Topology {
  readonly lab: string;
  readonly nodes: readonly LabNode[];
  readonly pods: readonly LabPod[];
  readonly outside: { readonly netns: string; readonly addresses: readonly string[] };
}

/** What `outside` is called by when no address is asked for: documentation addresses, RFC 5737 and RFC 3849. */
export const DEFAULT_EXTERNAL_ADDRESSES: readonly string[] = ['203.0.113.1', '2001:db8:ffff::1'];

/** Where pods go that name no node at all. */
const NAMELESS_NODE = 'node';

/** Node indexes end up in the last byte of an address; .254 is `outside`. */
const MAX_NODES = 253;

/**
 * Lays out a cluster's pods and nodes. Finished pods (`Succeeded`, `Failed`) own no address and are left out, as are those
 * that have none yet.
 * @param external canonical addresses of `outside`; the default ones are dropped where a pod, node or Service has them
 * @param before the lab as it is: nodes keep their index
 * @throws SluiceError `LAB_POD_WITHOUT_ADDRESS`, `LAB_ADDRESS_CONFLICT`, `LAB_TOO_LARGE`
 */
export function layOut(
  lab: string,
  cluster: Cluster,
  external: readonly string[] | undefined,
  before?: Topology,
): Topology {
  const live = livePods(cluster);
  const owners = new Map<string, string>();
  const nodes = layOutNodes(lab, cluster, live, before, owners);
  const pods = live.map((pod) => layOutPod(lab, pod, nodes.get(nodeNameOf(pod, cluster)), owners));
  for (const [key, service] of cluster.services) {
    for (const address of service.clusterIPs) claim(owners, address, `Service ${key}`);
  }
  const addresses =
    external === undefined
      ? DEFAULT_EXTERNAL_ADDRESSES.filter((address) => !owners.has(address))
      : external.map((address) => claim(owners, address, 'outside (--external)'));
  return { lab, nodes: [...nodes.values()], pods, outside: { netns: outsideNetns(lab), addresses } };
}

/** The first address of a family, undefined where there is none. */
export function firstOf(family: 4 | 6, addresses: readonly string[]): string | undefined {
  return addresses.find((address) => familyOf(address) === family);
}

/** @throws SluiceError `LAB_POD_WITHOUT_ADDRESS` when there are pods and none of them can be laid out */
function livePods(cluster: Cluster): readonly Pod[] {
  const live = [...cluster.pods.values()].filter(isLive);
  const placed = live.filter(({ hostNetwork, ips }) => hostNetwork || ips.length > 0);
  const [first] = live;
  if (placed.length > 0 || first === undefined) return placed;
  throw new SluiceError(
    'LAB_POD_WITHOUT_ADDRESS',
    `pod ${objectKey(first.namespace, first.name)} has no status.podIP, and no other pod has: ` +
      'give them addresses (status: {podIP: 10.1.0.5})',
  );
}

function layOutNodes(
  lab: string,
  cluster: Cluster,
  pods: readonly Pod[],
  before: Topology | undefined,
  owners: Map<string, string>,
): Map<string, LabNode> {
  const addresses = new Map<string, Set<string>>();
  for (const node of cluster.nodes.values()) addresses.set(node.name, new Set(node.addresses));
  for (const pod of pods) {
    const name = nodeNameOf(pod, cluster);
    const known = addresses.get(name);
    if (known === undefined) addresses.set(name, new Set(pod.hostIPs));
    else if (!cluster.nodes.has(name)) for (const ip of pod.hostIPs) known.add(ip);
  }
  const indexes = new Map(before?.nodes.map((node) => [node.name, node.index]));
  const taken = new Set(indexes.values());
  const nodes = new Map<string, LabNode>();
  for (const [name, own] of addresses) {
    const index = indexes.get(name) ?? nextFree(taken);
    taken.add(index);
    for (const address of own) claim(owners, address, `node ${name}`);
    nodes.set(name, { name, index, netns: nodeNetns(lab, name), addresses: [...own] });
  }
  return nodes;
}

function layOutPod(lab: string, pod: Pod, node: LabNode | undefined, owners: Map<string, string>): LabPod {
  const key = objectKey(pod.namespace, pod.name);
  if (node === undefined) throw new Error(`no node was laid out for pod ${key}`);
  const place = { key, namespace: pod.namespace, name: pod.name, node: node.name, ports: pod.ports };
  if (pod.hostNetwork) return { ...place, ips: node.addresses, netns: node.netns, hostNetwork: true };
  for (const ip of pod.ips) claim(owners, ip, `pod ${key}`);
  return { ...place, ips: pod.ips, netns: podNetns(lab, key), hostNetwork: false };
}

/** `spec.nodeName`; else the node that has the pod's `status.hostIP`; else a node of its own named by that address. */
function nodeNameOf(pod: Pod, cluster: Cluster): string {
  if (pod.nodeName !== undefined) return pod.nodeName;
  const host = pod.hostIPs[0];
  if (host === undefined) return NAMELESS_NODE;
  for (const node of cluster.nodes.values()) if (node.addresses.includes(host)) return node.name;
  return host;
}

function claim(owners: Map<string, string>, address: string, owner: string): string {
  const other = owners.get(address);
  if (other !== undefined && other !== owner) {
    throw new SluiceError(
      'LAB_ADDRESS_CONFLICT',
      `address ${address} belongs to ${other} and to ${owner}: in a lab each address has one owner`,
    );
  }
  owners.set(address, owner);
  return address;
}

function nextFree(taken: ReadonlySet<number>): number {
  for (let index = 1; index <= MAX_NODES; index += 1) if (!taken.has(index)) return index;
  throw new SluiceError(
    'LAB_TOO_LARGE',
    `a lab has at most ${MAX_NODES} nodes: take some out of the manifests`,
  );
}
