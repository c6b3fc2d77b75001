/** Compiles tables: one pod's share of a cluster's policies, with selectors resolved to address groups. */

import { createDirectory, type Directory } from './directory.ts';
import { SluiceError } from './errors.ts';
import { createGroupResolver, groupId } from './groups.ts';
import { sortedRecord } from './key.ts';
import type { Cluster, Direction, Pod } from './model.ts';
import { isSubject, podKey as keyOf, nodeAddresses } from './ownership.ts';
import type { ResolvedPeer } from './peer.ts';
import { isolatingPolicies, policiesByNamespace, policyRef, resolveRules } from './rules.ts';
import { createVirtualPorts, type VirtualPorts } from './services.ts';
import { type AddressGroup, type DirectionTable, TABLE_SCHEMA, type Table, type TablePeer } from './table.ts';

/** Compiles the tables of one cluster. Groups, directory, namespaces and services are the same objects in all of them. */
export interface Compiler {
  /** Who owns which address; the same objects as in the tables. */
  readonly directory: Directory;
  /** What Services stand for; the same object in all tables that have it. */
  readonly virtualPorts: VirtualPorts;
  /** The groups resolved so far, by id. */
  readonly groups: ReadonlyMap<string, AddressGroup>;
  /** The table of the pod with this `namespace/name`. Throws POD_NOT_SUBJECT when policy cannot select the pod. */
  compile(podKey: string, revision: number): Table;
}

/** In the tables of pods that egress policy does not isolate; one object, so that a diff passes over it. */
const NO_SERVICES: Table['services'] = {};

function subjectPod(cluster: Cluster, podKey: string): Pod {
  const pod = cluster.pods.get(podKey);
  if (pod === undefined) {
    throw new SluiceError('POD_NOT_SUBJECT', `there is no pod ${podKey}: check namespace and name`);
  }
  if (!isSubject(pod)) {
    const why = pod.hostNetwork ? 'is on the host network' : `has ended (${pod.phase})`;
    throw new SluiceError(
      'POD_NOT_SUBJECT',
      `pod ${podKey} ${why}: policy does not apply to it, it has no table`,
    );
  }
  return pod;
}

/**
 * Makes a compiler for a cluster, which must not change afterwards. With `previous`, whatever says the same as
 * there is the same object, so that `diffTables` passes over it.
 */
export function createCompiler(cluster: Cluster, previous?: Compiler): Compiler {
  const directory = createDirectory(cluster, previous?.directory);
  const virtualPorts = createVirtualPorts(cluster, previous?.virtualPorts);
  const groups = new Map<string, AddressGroup>();
  const previousGroups = previous?.groups;
  const resolver = createGroupResolver(directory, (id) => previousGroups?.get(id));
  const policies = policiesByNamespace(cluster);

  function tablePeer(peer: ResolvedPeer, used: Map<string, AddressGroup>): TablePeer {
    if (peer.kind === 'ipBlock') return peer;
    const id = groupId(peer);
    const group = resolver.resolve(peer);
    groups.set(id, group);
    used.set(id, group);
    return { kind: 'group', group: id };
  }

  function directionTable(pod: Pod, direction: Direction, used: Map<string, AddressGroup>): DirectionTable {
    const isolating = isolatingPolicies(policies.get(pod.namespace) ?? [], pod, direction);
    const rules = isolating.flatMap((policy) => resolveRules(policy, direction, pod.ports));
    return {
      direction,
      isolating: isolating.map(policyRef),
      rules: rules.map((rule) => ({ ...rule, peers: rule.peers.map((peer) => tablePeer(peer, used)) })),
    };
  }

  return {
    directory,
    virtualPorts,
    groups,
    compile(podKey, revision) {
      const pod = subjectPod(cluster, podKey);
      const used = new Map<string, AddressGroup>();
      const ingress = directionTable(pod, 'ingress', used);
      const egress = directionTable(pod, 'egress', used);
      return {
        schema: TABLE_SCHEMA,
        revision,
        subject: {
          namespace: pod.namespace,
          name: pod.name,
          uid: pod.uid,
          // An address that a newer pod has taken over is no longer this pod's.
          ips: directory.addresses.get(keyOf(pod)) ?? [],
          nodeIPs: nodeAddresses(cluster, pod),
          ports: pod.ports,
        },
        ingress,
        egress,
        groups: sortedRecord(used),
        pods: directory.pods,
        namespaces: directory.namespaces,
        services: egress.isolating.length === 0 ? NO_SERVICES : virtualPorts.byKey,
      };
    },
  };
}

/** One pod's table. For the tables of many pods use `createCompiler`. Throws POD_NOT_SUBJECT. */
export function compile(cluster: Cluster, podKey: string, revision: number): Table {
  return createCompiler(cluster).compile(podKey, revision);
}
