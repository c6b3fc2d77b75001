/**
 * Compiles tables: one pod's share of a cluster's policies, with selectors resolved to address groups. A change of the
 * cluster costs what it touches: the groups an address is in, and the tables of followed pods that these are in.
 */

import { type ClusterChange, clusterChanges, EMPTY_CLUSTER } from './cluster_change.ts';
import { type ChangeOrder, Directory } from './directory.ts';
import { SluiceError } from './errors.ts';
import { Groups } from './groups.ts';
import { compareTexts, objectKey } from './key.ts';
import { LiveCluster } from './live_cluster.ts';
import type { Cluster, Labels, NetworkPolicy, Pod } from './model.ts';
import { isSubject, NAMESPACE_NAME_LABEL, nodeAddresses, podKey } from './ownership.ts';
import { sameData } from './same_data.ts';
import { matchesSelector } from './selector.ts';
import { VirtualPorts } from './services.ts';
import { SetIndex } from './set_index.ts';
import { type PeerIdentity, type PodIdentity, TABLE_SCHEMA, type Table } from './table.ts';
import { type Before, type TableChanges, tableChanges } from './table_changes.ts';
import { groupsOf, RuleCompiler } from './table_rules.ts';
import type { TableShape } from './table_shape.ts';

/** In the tables of pods that egress policy does not isolate. */
const NO_SERVICES: Table['services'] = {};

/** What has become of the table of a followed pod. */
export type TableUpdate =
  /** These parts of it are others now. */
  | { readonly kind: 'changed'; readonly changes: TableChanges }
  /** It has become a pod with a table. */
  | { readonly kind: 'new' }
  /** It has no table any more. */
  | { readonly kind: 'gone' };

/** What changes since the last time led to. */
export interface ClusterUpdate {
  /** By pod key, of followed pods; those whose table is the same are left out. */
  readonly tables: ReadonlyMap<string, TableUpdate>;
  /** Who owned addresses that have another owner now, or none. */
  readonly formerOwners: ReadonlyMap<string, PeerIdentity>;
}

/** Compiles the tables of one cluster, which changes by `apply` only. */
export class Compiler {
  readonly #cluster = new LiveCluster();
  readonly #directory = new Directory();
  readonly #virtualPorts = new VirtualPorts();
  readonly #groups = new Groups(this.#directory, (name) => this.#namespaceLabels(name));
  readonly #ruleCompiler = new RuleCompiler();
  /** Of one namespace, by name. */
  readonly #policies = new Map<string, readonly NetworkPolicy[]>();
  readonly #podsByNamespace = new SetIndex<string>();
  readonly #podsByNode = new SetIndex<string>();
  /** Followed pods, with the shape that their tables had at the last `take`; `undefined`: no table. */
  readonly #followed = new Map<string, TableShape | undefined>();
  /** Followed pods by group. */
  readonly #groupUsers = new SetIndex<string>();
  /** Followed pods that egress policy isolates. */
  readonly #serviceUsers = new Set<string>();
  /** Pods whose shape may be another one. */
  readonly #reshaped = new Set<string>();
  /** What was so at the last `take`, of what has changed since. */
  readonly #ownersBefore = new Map<string, PodIdentity | undefined>();
  readonly #labelsBefore = new Map<string, Labels>();

  constructor(cluster: Cluster = EMPTY_CLUSTER) {
    for (const change of clusterChanges(EMPTY_CLUSTER, cluster)) this.apply(change, 'found');
    this.take();
  }

  /** The cluster as it is; it shows each change that is applied. */
  get cluster(): Cluster {
    return this.#cluster;
  }

  /**
   * Makes one change; `take` tells what it led to. What says the same as before is no change.
   * @param order whether a pod that gets an address now got it later than all before; else its status has to say when
   */
  apply(change: ClusterChange, order: ChangeOrder = 'seen'): void {
    const { key } = change;
    switch (change.kind) {
      case 'Namespace':
        return this.#applyNamespace(change);
      case 'Pod': {
        const before = this.#cluster.pods.get(key);
        if (sameData(before, change.object)) return;
        this.#cluster.apply(change);
        return this.#replacePod(key, before, change.object, order);
      }
      case 'NetworkPolicy': {
        const before = this.#cluster.policies.get(key);
        if (sameData(before, change.object)) return;
        this.#cluster.apply(change);
        return this.#replacePolicy(before, change.object);
      }
      case 'Node': {
        if (sameData(this.#cluster.nodes.get(key), change.object)) return;
        this.#cluster.apply(change);
        for (const pod of this.#podsByNode.get(key)) this.#reshaped.add(pod);
        return;
      }
      case 'Service': {
        this.#cluster.apply(change);
        return this.#virtualPorts.setService(key, change.object);
      }
      case 'EndpointSlice': {
        const before = this.#cluster.endpointSlices.get(key);
        this.#cluster.apply(change);
        return this.#virtualPorts.setSlice(key, before, change.object);
      }
      default:
        return change satisfies never;
    }
  }

  #namespaceLabels(name: string): Labels {
    return this.#cluster.namespaces.get(name)?.labels ?? { [NAMESPACE_NAME_LABEL]: name };
  }

  #applyNamespace(change: ClusterChange & { readonly kind: 'Namespace' }): void {
    const before = this.#namespaceLabels(change.key);
    this.#cluster.apply(change);
    const after = this.#namespaceLabels(change.key);
    if (sameData(before, after)) return;
    if (!this.#labelsBefore.has(change.key)) this.#labelsBefore.set(change.key, before);
    this.#groups.namespaceChanged(change.key, before, after);
  }

  #replacePod(key: string, before: Pod | undefined, after: Pod | undefined, order: ChangeOrder): void {
    for (const pod of [before, after]) if (pod !== undefined) this.#filePod(key, pod, pod === after);
    this.#reshaped.add(key);
    for (const change of this.#directory.replace(before, after, order)) {
      const { address } = change;
      if (!this.#ownersBefore.has(address)) this.#ownersBefore.set(address, change.before);
      this.#groups.ownerChanged(change);
      // An address that changes hands is in the tables of both as their own.
      for (const pod of [change.before, change.after]) {
        if (pod !== undefined) this.#reshaped.add(objectKey(pod.namespace, pod.name));
      }
    }
  }

  #filePod(key: string, { namespace, nodeName }: Pod, isThere: boolean): void {
    const file = isThere ? 'add' : 'delete';
    this.#podsByNamespace[file](namespace, key);
    if (nodeName !== undefined) this.#podsByNode[file](nodeName, key);
  }

  #replacePolicy(before: NetworkPolicy | undefined, after: NetworkPolicy | undefined): void {
    const namespace = (after ?? before)?.namespace ?? '';
    const others = (this.#policies.get(namespace) ?? []).filter((policy) => policy !== before);
    const policies = after === undefined ? others : [...others, after];
    policies.sort((a, b) => compareTexts(a.name, b.name));
    if (policies.length === 0) this.#policies.delete(namespace);
    else this.#policies.set(namespace, policies);
    for (const test of after === undefined ? [] : groupsOf(after)) this.#groups.retain(test);
    for (const test of before === undefined ? [] : groupsOf(before)) this.#groups.release(test);
    for (const key of this.#podsByNamespace.get(namespace)) {
      const labels = this.#cluster.pods.get(key)?.labels ?? {};
      const selects = (policy: NetworkPolicy | undefined) =>
        policy !== undefined && matchesSelector(policy.podSelector, labels);
      if (selects(before) || selects(after)) this.#reshaped.add(key);
    }
  }

  /**
   * Has `take` tell what becomes of a pod's table, from how it is now: all changes before must have been taken. The pod
   * need not be there yet.
   */
  follow(key: string): void {
    if (!this.#followed.has(key)) this.#setShape(key, this.#shape(key));
  }

  /** Undoes `follow`. */
  unfollow(key: string): void {
    this.#setShape(key, undefined);
    this.#followed.delete(key);
  }

  #setShape(key: string, shape: TableShape | undefined): void {
    for (const id of this.#followed.get(key)?.groups ?? []) this.#groupUsers.delete(id, key);
    this.#followed.set(key, shape);
    for (const id of shape?.groups ?? []) this.#groupUsers.add(id, key);
    if (shape?.hasServices) this.#serviceUsers.add(key);
    else this.#serviceUsers.delete(key);
  }

  #shape(key: string): TableShape | undefined {
    const pod = this.#cluster.pods.get(key);
    if (pod === undefined || !isSubject(pod)) return undefined;
    const rules = this.#ruleCompiler.rules(this.#policies.get(pod.namespace) ?? [], pod);
    return {
      subject: {
        namespace: pod.namespace,
        name: pod.name,
        uid: pod.uid,
        // An address that another pod has taken over is no longer this pod's.
        ips: this.#directory.addressesOf(pod),
        nodeIPs: nodeAddresses(this.#cluster, pod),
        ports: pod.ports,
      },
      ...rules,
      hasServices: rules.egress.isolating.length > 0,
    };
  }

  /** The own part of a followed pod's table, as it was at the last `take`. */
  outline(key: string): Pick<Table, 'subject' | 'ingress' | 'egress'> | undefined {
    return this.#followed.get(key);
  }

  /** What all changes since the last call led to. */
  take(): ClusterUpdate {
    const before: Before = {
      directory: this.#directory,
      groups: this.#groups,
      virtualPorts: this.#virtualPorts,
      namespaceLabels: (name) => this.#namespaceLabels(name),
      owners: this.#ownersBefore,
      labels: this.#labelsBefore,
    };
    const tables = new Map<string, TableUpdate>();
    for (const key of this.#touchedTables()) {
      const update = this.#update(key, before);
      if (update !== undefined) tables.set(key, update);
    }
    const formerOwners = new Map<string, PeerIdentity>();
    for (const [address, owner] of this.#ownersBefore) {
      const now = this.#directory.owner(address);
      if (owner !== undefined && now?.uid !== owner.uid) formerOwners.set(address, this.#peer(owner));
    }
    this.#reshaped.clear();
    this.#ownersBefore.clear();
    this.#labelsBefore.clear();
    this.#groups.settle();
    this.#virtualPorts.settle();
    return { tables, formerOwners };
  }

  /** Followed pods whose table may be another one. */
  #touchedTables(): Iterable<string> {
    if (this.#labelsBefore.size > 0) return [...this.#followed.keys()];
    const touched = new Set([...this.#reshaped].filter((key) => this.#followed.has(key)));
    if (this.#virtualPorts.isTouched) for (const key of this.#serviceUsers) touched.add(key);
    for (const { id } of this.#groups.touched) for (const key of this.#groupUsers.get(id)) touched.add(key);
    return touched;
  }

  #update(key: string, before: Before): TableUpdate | undefined {
    const old = this.#followed.get(key);
    const shape = this.#reshaped.has(key) ? reuseShape(this.#shape(key), old) : old;
    if (shape !== old) this.#setShape(key, shape);
    if (old === undefined) return shape === undefined ? undefined : { kind: 'new' };
    if (shape === undefined) return { kind: 'gone' };
    const changes = tableChanges(old, shape, before);
    return changes === undefined ? undefined : { kind: 'changed', changes };
  }

  /** The table of the pod with this `namespace/name`. Throws POD_NOT_SUBJECT when policy cannot select the pod. */
  compile(key: string, revision: number): Table {
    const shape = this.#shape(key);
    if (shape === undefined) throw notSubject(key, this.#cluster.pods.get(key));
    const { subject, ingress, egress, hasServices } = shape;
    const groups = shape.groups.flatMap((id) => this.#groups.get(id) ?? []);
    const addresses = new Set(subject.ips);
    const namespaces = new Set([subject.namespace]);
    for (const group of groups) {
      for (const address of group.members) addresses.add(address);
      for (const name of group.namespaces) namespaces.add(name);
    }
    return {
      schema: TABLE_SCHEMA,
      revision,
      subject,
      ingress,
      egress,
      groups: Object.fromEntries(groups.map(({ id, group }) => [id, group])),
      pods: Object.fromEntries(
        [...addresses].flatMap((address): [string, PodIdentity][] => {
          const owner = this.#directory.owner(address);
          return owner === undefined ? [] : [[address, owner]];
        }),
      ),
      namespaces: Object.fromEntries([...namespaces].map((name) => [name, this.#namespaceLabels(name)])),
      services: hasServices ? this.#virtualPorts.record : NO_SERVICES,
    };
  }

  /** What a sidecar may learn of the pod that owns a canonical address, whether its table has it or not. */
  identify(address: string): PeerIdentity | undefined {
    const owner = this.#directory.owner(address);
    return owner === undefined ? undefined : this.#peer(owner);
  }

  #peer({ uid: _, ...pod }: PodIdentity): PeerIdentity {
    return { ...pod, namespaceLabels: this.#namespaceLabels(pod.namespace) };
  }
}

/** `shape`, with parts that say the same as in `previous` taken from there; `previous` itself when all do. */
function reuseShape(shape: TableShape | undefined, previous: TableShape | undefined): TableShape | undefined {
  if (shape === undefined || previous === undefined) return shape;
  const reused: TableShape = {
    subject: sameData(shape.subject, previous.subject) ? previous.subject : shape.subject,
    ingress: sameData(shape.ingress, previous.ingress) ? previous.ingress : shape.ingress,
    egress: sameData(shape.egress, previous.egress) ? previous.egress : shape.egress,
    groups: sameData(shape.groups, previous.groups) ? previous.groups : shape.groups,
    hasServices: shape.hasServices,
  };
  const same =
    reused.subject === previous.subject &&
    reused.ingress === previous.ingress &&
    reused.egress === previous.egress &&
    reused.groups === previous.groups;
  return same ? previous : reused;
}

function notSubject(key: string, pod: Pod | undefined): SluiceError {
  if (pod === undefined) {
    return new SluiceError('POD_NOT_SUBJECT', `there is no pod ${key}: check namespace and name`);
  }
  const why = pod.hostNetwork ? 'is on the host network' : `has ended (${pod.phase})`;
  return new SluiceError(
    'POD_NOT_SUBJECT',
    `pod ${podKey(pod)} ${why}: policy does not apply to it, it has no table`,
  );
}

/** Makes a compiler of a cluster. Later changes of the cluster reach it by `apply` only. */
export function createCompiler(cluster: Cluster): Compiler {
  return new Compiler(cluster);
}

/** One pod's table. For the tables of many pods use `createCompiler`. Throws POD_NOT_SUBJECT. */
export function compile(cluster: Cluster, podKey: string, revision: number): Table {
  return createCompiler(cluster).compile(podKey, revision);
}
