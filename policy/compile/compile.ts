/**
 * Compiles tables: one pod's share of a cluster's policies, with selectors resolved to address groups. A change of the
 * cluster costs what it touches: the groups an address is in, and the tables of followed pods that these are in.
 */

import { SluiceError } from '../../common/errors.ts';
import { Recent } from '../../common/recent.ts';
import { objectKey } from '../key.ts';
import type { Cluster, Labels, NetworkPolicy, Pod } from '../model.ts';
import { DEFAULT_POLICY_LIMITS, type PolicyLimits } from '../objects/index.ts';
import { isSubject, matchesSelector, NAMESPACE_NAME_LABEL, nodeAddresses, podKey } from '../rules/index.ts';
import {
  type AskedOfPeers,
  askedOfPeers,
  type Backend,
  Comparisons,
  type DnsServers,
  dnsServers,
  forgottenDns,
  NOTHING_ASKED,
  type PeerIdentity,
  type PodIdentity,
  sameData,
  TABLE_SCHEMA,
  type Table,
} from '../table/index.ts';
import { type ClusterChange, clusterChanges } from './cluster_change.ts';
import { type ChangeOrder, Directory } from './directory.ts';
import { Groups } from './groups.ts';
import { EMPTY_CLUSTER, LiveCluster } from './live_cluster.ts';
import { NamespacePolicies } from './namespace_policies.ts';
import { mayExceed } from './policy_bounds.ts';
import { serviceSockets } from './service_sockets.ts';
import { VirtualPorts } from './services.ts';
import { SetIndex } from './set_index.ts';
import { ChangeMaker, type GroupList, type TableChanges } from './table_changes.ts';
import { Followers } from './table_followers.ts';
import { RuleCompiler } from './table_rules.ts';
import type { TableShape } from './table_shape.ts';

/** In the tables of pods that egress policy does not isolate. */
const NO_SERVICES: Table['services'] = {};

/** What has become of the table of a followed pod, when it is looked at again. */
export type TableUpdate =
  /** These parts of it are others now. */
  | { readonly kind: 'changed'; readonly changes: TableChanges }
  /** It has become a pod with a table. */
  | { readonly kind: 'new' }
  /** It has no table any more. */
  | { readonly kind: 'gone' };

/** What changes since the last time led to. */
export interface ClusterUpdate {
  /** By pod key: what changes in tables of followed pods by what is in groups. First this is applied, then `reshape`. */
  readonly tables: ReadonlyMap<string, TableChanges>;
  /** Followed pods whose table may be another one beside that, by rules or by the pod itself: to be asked of `reshape`. */
  readonly reshaped: ReadonlySet<string>;
  /** Who owned addresses that have another owner now, or none. */
  readonly formerOwners: ReadonlyMap<string, PeerIdentity>;
}

/** What tables are made with, beside the cluster. */
export interface CompilerOptions {
  /** `namespace/name` of the Service that sidecars find the injector at. Absent: not over the network. */
  readonly injectorService?: string;
  /** Bounds on policies; default `DEFAULT_POLICY_LIMITS`. */
  readonly policyLimits?: PolicyLimits;
}

/** What of a table comes from its groups. */
type Contents = Pick<Table, 'groups' | 'pods' | 'namespaces'>;

/** Each may be as large as a table. */
const MAX_CONTENTS = 8;

/** Compiles the tables of one cluster, which changes by `apply` only. */
export class Compiler {
  readonly #cluster = new LiveCluster();
  readonly #directory = new Directory();
  readonly #virtualPorts = new VirtualPorts();
  readonly #groups = new Groups(this.#directory, (name) => this.#namespaceLabels(name));
  readonly #ruleCompiler = new RuleCompiler();
  readonly #comparisons = new Comparisons();
  readonly #policies: NamespacePolicies;
  readonly #podsByNamespace = new SetIndex<string>();
  readonly #podsByNode = new SetIndex<string>();
  readonly #followers = new Followers();
  /** Pods whose shape may be another one. */
  readonly #reshaped = new Set<string>();
  /** What was so at the last `take`, of what has changed since. */
  readonly #ownersBefore = new Map<string, PodIdentity | undefined>();
  readonly #labelsBefore = new Map<string, Labels>();
  /** The name servers among these virtual ports. */
  #dns: { readonly of: VirtualPorts['record']; readonly servers: DnsServers } | undefined;

  #injectors: readonly Backend[] = [];
  readonly #asked = new WeakMap<TableShape, AskedOfPeers>();
  readonly #injectorService: string | undefined;
  /** Of the state that the last `take` led to. */
  #changes: ChangeMaker;
  /** Of the same state. */
  readonly #contents = new Recent<GroupList, Contents>(MAX_CONTENTS);

  constructor(cluster: Cluster = EMPTY_CLUSTER, options: CompilerOptions = {}) {
    this.#injectorService = options.injectorService;
    this.#policies = new NamespacePolicies(this.#groups, options.policyLimits ?? DEFAULT_POLICY_LIMITS);
    this.#changes = this.#changeMaker();
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
        return this.#policies.replace(before, change.object);
      }
      case 'Node': {
        if (sameData(this.#cluster.nodes.get(key), change.object)) return;
        this.#cluster.apply(change);
        for (const pod of this.#podsByNode.get(key)) this.#reshaped.add(pod);
        return;
      }
      case 'Service': {
        this.#cluster.apply(change);
        if (key === this.#injectorService) this.#injectorsChanged();
        return this.#virtualPorts.setService(key, change.object);
      }
      case 'EndpointSlice': {
        const before = this.#cluster.endpointSlices.get(key);
        this.#cluster.apply(change);
        for (const slice of [before, change.object])
          if (
            slice?.service !== undefined &&
            this.#injectorService === objectKey(slice.namespace, slice.service)
          )
            this.#injectorsChanged();
        return this.#virtualPorts.setSlice(key, before, change.object);
      }
      default:
        return change satisfies never;
    }
  }

  /** They stand in each table: rarely, as when the injector is upgraded, all change at once. */
  #injectorsChanged(): void {
    this.#injectors = serviceSockets(this.#cluster, this.#injectorService ?? '');
    for (const key of this.#followers.keys()) this.#reshaped.add(key);
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
    this.#policies.measureAll();
  }

  #replacePod(key: string, before: Pod | undefined, after: Pod | undefined, order: ChangeOrder): void {
    for (const pod of [before, after]) if (pod !== undefined) this.#filePod(key, pod, pod === after);
    this.#reshaped.add(key);
    for (const change of this.#directory.replace(before, after, order)) {
      const { address } = change;
      if (!this.#ownersBefore.has(address)) this.#ownersBefore.set(address, change.before);
      this.#groups.ownerChanged(change);
      this.#policies.addressMoved();
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

  /**
   * Has `take` tell what becomes of a pod's table, from how it is now: all changes before must have been taken. The pod
   * need not be there yet.
   */
  follow(key: string): void {
    if (!this.#followers.has(key)) this.#adopt(key);
  }

  /** Undoes `follow`. */
  unfollow(key: string): void {
    this.#followers.delete(key);
  }

  /** The shape of a followed pod's table is what it is now. */
  #adopt(key: string): TableShape | undefined {
    const shape = this.#shape(key);
    this.#followers.set(key, shape);
    this.#reshaped.delete(key);
    return shape;
  }

  #shape(key: string): TableShape | undefined {
    const pod = this.#cluster.pods.get(key);
    if (pod === undefined || !isSubject(pod)) return undefined;
    const rules = this.#ruleCompiler.rules(this.#policies.inForce(pod.namespace), pod);
    return {
      subject: {
        namespace: pod.namespace,
        name: pod.name,
        uid: pod.uid,
        // An address that another pod has taken over is no longer this pod's.
        ips: this.#directory.addressesOf(pod),
        nodeIPs: nodeAddresses(this.#cluster, pod),
        ports: pod.ports,
        ...(this.#injectors.length === 0 ? {} : { injectors: this.#injectors }),
      },
      ...rules,
      hasServices: rules.egress.isolating.length > 0,
    };
  }

  /**
   * Says where a pod's egress is isolated and its rules admit no name server of the cluster; `undefined` where they do, and
   * where there is no such pod. By the policies that the last `take` put in force. Costs what the pod's rules are, and what
   * the namespace's policies are unless it is followed.
   */
  forgottenDns(key: string): string | undefined {
    const shape = this.#reshaped.has(key)
      ? this.#shape(key)
      : (this.#followers.shape(key) ?? this.#shape(key));
    if (shape === undefined) return undefined;
    return forgottenDns(
      {
        ...shape,
        isMember: (group, address) => this.#groups.get(group)?.members.has(address) === true,
        portsOf: (address) => this.#directory.owner(address)?.ports ?? [],
      },
      this.#dnsServers(),
    );
  }

  #dnsServers(): DnsServers {
    const { record } = this.#virtualPorts;
    if (this.#dns?.of !== record) this.#dns = { of: record, servers: dnsServers(record) };
    return this.#dns.servers;
  }

  /** Whether something is known that a pod's table may have to say, and that `take` or `reshape` has not been asked for. */
  isBehind(key: string): boolean {
    return this.#reshaped.has(key) || this.#policies.isWaiting(this.#cluster.pods.get(key)?.namespace ?? '');
  }

  /** Whether policies wait for the next `take`, because the last one was told not to go on. */
  get hasWaiting(): boolean {
    return this.#policies.hasWaiting;
  }

  /** Policies beyond a bound, by key, and which: they isolate and admit nothing. As of the last `take`. */
  get excess(): ReadonlyMap<string, string> {
    return this.#policies.excess;
  }

  /**
   * What all changes since the last call led to.
   * @param goOn asked after the policies of each namespace that has others now: whether there is time for the next one.
   *   Those that are left wait their turn; what they were stays in force meanwhile.
   */
  take(goOn: () => boolean = () => true): ClusterUpdate {
    for (const { namespace, changed } of this.#policies.settle(goOn)) this.#markSelected(namespace, changed);
    const changes = this.#changeMaker();
    const tables = new Map<string, TableChanges>();
    for (const key of this.#touchedTables()) {
      const shape = this.#followers.shape(key);
      const changed = shape === undefined ? undefined : changes.within(shape);
      if (changed !== undefined) tables.set(key, changed);
    }
    const formerOwners = new Map<string, PeerIdentity>();
    for (const [address, owner] of this.#ownersBefore) {
      const now = this.#directory.owner(address);
      if (owner !== undefined && now?.uid !== owner.uid) formerOwners.set(address, this.#peer(owner));
    }
    for (const key of this.#reshaped) if (!this.#followers.has(key)) this.#reshaped.delete(key);
    this.#ownersBefore.clear();
    this.#labelsBefore.clear();
    this.#groups.settle((id) => this.#followers.haveGroup(id));
    this.#virtualPorts.settle();
    this.#changes = this.#changeMaker();
    this.#contents.clear();
    return { tables, reshaped: new Set(this.#reshaped), formerOwners };
  }

  #changeMaker(): ChangeMaker {
    return new ChangeMaker({
      directory: this.#directory,
      groups: this.#groups,
      virtualPorts: this.#virtualPorts,
      namespaceLabels: (name) => this.#namespaceLabels(name),
      owners: this.#ownersBefore,
      labels: this.#labelsBefore,
    });
  }

  /** Policies of a namespace are others now: pods that they select, or did. */
  #markSelected(namespace: string, changed: readonly NetworkPolicy[]): void {
    for (const key of this.#podsByNamespace.get(namespace)) {
      const labels = this.#cluster.pods.get(key)?.labels ?? {};
      if (changed.some(({ podSelector }) => matchesSelector(podSelector, labels))) this.#reshaped.add(key);
    }
  }

  /** Followed pods whose table may be another one though its shape is the same. */
  #touchedTables(): Iterable<string> {
    if (this.#labelsBefore.size > 0) return this.#followers.keys();
    const touched = new Set<string>();
    if (this.#virtualPorts.isTouched) for (const key of this.#followers.withServices) touched.add(key);
    for (const { id } of this.#groups.touched) this.#followers.addWithGroup(id, touched);
    // Those whose own addresses have changed hands are among them.
    for (const key of this.#reshaped) if (this.#followers.has(key)) touched.add(key);
    return touched;
  }

  /**
   * What of a followed pod's table has changed by its rules or by the pod itself, since it was last looked at: all changes
   * before must have been taken. Undefined: nothing.
   */
  reshape(key: string): TableUpdate | undefined {
    const old = this.#followers.shape(key);
    const shape = reuseShape(this.#shape(key), old, this.#comparisons);
    this.#reshaped.delete(key);
    if (shape !== old) this.#followers.set(key, shape);
    if (old === undefined) return shape === undefined ? undefined : { kind: 'new' };
    if (shape === undefined) return { kind: 'gone' };
    const changes = shape === old ? undefined : this.#changes.between(old, shape);
    return changes === undefined ? undefined : { kind: 'changed', changes };
  }

  /**
   * The table of the pod with this `namespace/name`, as of the last `take`. Of a followed pod there is nothing to `reshape`
   * then. Throws POD_NOT_SUBJECT when policy cannot select the pod.
   */
  compile(key: string, revision: number): Table {
    const shape = this.#followers.has(key) ? this.#adopt(key) : this.#shape(key);
    if (shape === undefined) throw notSubject(key, this.#cluster.pods.get(key));
    const { subject, ingress, egress, hasServices } = shape;
    const { groups, pods, namespaces } = this.#contents.get(shape.groups) ?? this.#contentsOf(shape.groups);
    const own = subject.ips.flatMap((ip): [string, PodIdentity][] => {
      const owner = Object.hasOwn(pods, ip) ? undefined : this.#directory.owner(ip);
      return owner === undefined ? [] : [[ip, owner]];
    });
    const { namespace } = subject;
    return {
      schema: TABLE_SCHEMA,
      revision,
      subject,
      ingress,
      egress,
      groups,
      pods: own.length === 0 ? pods : { ...pods, ...Object.fromEntries(own) },
      namespaces: Object.hasOwn(namespaces, namespace)
        ? namespaces
        : { ...namespaces, ...Object.fromEntries([[namespace, this.#namespaceLabels(namespace)]]) },
      services: hasServices ? this.#virtualPorts.record : NO_SERVICES,
    };
  }

  /** What the rules of a followed pod ask of others. */
  askedOfPeers(key: string): AskedOfPeers {
    const shape = this.#followers.shape(key);
    if (shape === undefined) return NOTHING_ASKED;
    const known = this.#asked.get(shape);
    if (known !== undefined) return known;
    const selectors = shape.groups.flatMap((id) => this.#groups.get(id)?.test ?? []);
    const asked = askedOfPeers(selectors, shape.egress);
    this.#asked.set(shape, asked);
    return asked;
  }

  /** What tables with the same groups have in common. */
  #contentsOf(ids: GroupList): Contents {
    const groups = ids.flatMap((id) => this.#groups.get(id) ?? []);
    const addresses = new Set<string>();
    const namespaces = new Set<string>();
    for (const group of groups) {
      for (const address of group.members) addresses.add(address);
      for (const name of group.namespaces.keys()) namespaces.add(name);
    }
    const pods = [...addresses].flatMap((address): [string, PodIdentity][] => {
      const owner = this.#directory.owner(address);
      return owner === undefined ? [] : [[address, owner]];
    });
    return this.#contents.keep(ids, {
      groups: Object.fromEntries(groups.map(({ id, group }) => [id, group])),
      pods: Object.fromEntries(pods),
      namespaces: Object.fromEntries([...namespaces].map((name) => [name, this.#namespaceLabels(name)])),
    });
  }

  /** The pod that owns a canonical address, as far as any policy can ask of it. */
  identify(address: string): PeerIdentity | undefined {
    const owner = this.#directory.owner(address);
    return owner === undefined ? undefined : this.#peer(owner);
  }

  #peer({ uid: _, ...pod }: PodIdentity): PeerIdentity {
    return { ...pod, namespaceLabels: this.#namespaceLabels(pod.namespace) };
  }
}

/** `shape`, with parts that say the same as in `previous` taken from there; `previous` itself when all do. */
function reuseShape(
  shape: TableShape | undefined,
  previous: TableShape | undefined,
  comparisons: Comparisons,
): TableShape | undefined {
  if (shape === undefined || previous === undefined) return shape;
  const reuse = <T extends object>(now: T, before: T): T => (comparisons.same(now, before) ? before : now);
  const reused: TableShape = {
    subject: sameData(shape.subject, previous.subject) ? previous.subject : shape.subject,
    ingress: reuse(shape.ingress, previous.ingress),
    egress: reuse(shape.egress, previous.egress),
    groups: reuse(shape.groups, previous.groups),
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
export function createCompiler(cluster: Cluster, options: CompilerOptions = {}): Compiler {
  return new Compiler(cluster, options);
}

/** One pod's table. For the tables of many pods use `createCompiler`. Throws POD_NOT_SUBJECT. */
export function compile(cluster: Cluster, podKey: string, revision: number): Table {
  return createCompiler(cluster).compile(podKey, revision);
}

/** Policies of a cluster that are beyond a bound, by key, and which: they isolate and admit nothing. */
export function policyExcess(
  cluster: Cluster,
  limits: PolicyLimits = DEFAULT_POLICY_LIMITS,
): ReadonlyMap<string, string> {
  // Most clusters are far from every bound, and then it need not be made.
  return mayExceed(cluster, limits) ? createCompiler(cluster, { policyLimits: limits }).excess : new Map();
}
