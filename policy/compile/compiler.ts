/**
 * Compiles tables: one pod's share of a cluster's policies, with selectors resolved to address groups. A change of the
 * cluster costs what it touches: the groups an address is in, and the tables of followed pods that these are in.
 *
 * A change goes through two calls. `apply` makes it and records what it touches. `commit` puts policies in force and says whose
 * tables may have changed. `compile` then gives such a table; what it shares with the one before, and with those of other pods,
 * are the same objects, so that a change is found by comparing objects.
 */

import { SluiceError } from '../../common/errors.ts';
import type { Cluster, Pod } from '../model.ts';
import { DEFAULT_POLICY_LIMITS, type PolicyLimits } from '../objects/index.ts';
import { isSubject, podKey } from '../rules/index.ts';
import type { DirectoryV1 } from '../schema1/index.ts';
import {
  type AskedOfPeers,
  askedOfPeers,
  type DnsServers,
  dnsServers,
  forgottenDns,
  type IdentifiedPeer,
  NOTHING_ASKED,
  type Table,
} from '../table/index.ts';
import { type ClusterChange, clusterObjects } from './cluster_change.ts';
import { ClusterState } from './cluster_state.ts';
import type { ChangeOrder } from './directory.ts';
import { EMPTY_CLUSTER } from './live_cluster.ts';
import type { LiveGroup } from './live_group.ts';
import type { ServiceLimits } from './service_bounds.ts';
import { ShapeMaker } from './shape_maker.ts';
import { Followers } from './table_followers.ts';
import { TableMaker } from './table_maker.ts';
import type { GroupList, TableShape } from './table_shape.ts';

/** What the changes of one commit led to. */
export interface ClusterUpdate {
  /**
   * Followed pods whose tables may differ from those before, by pod key. Those that do not need every member of large groups
   * are not among them where members of such groups are all that has changed.
   */
  readonly touched: ReadonlySet<string>;
  /** Addresses that have come, gone or changed in groups that were large and still are. */
  readonly movedInLarge: ReadonlySet<string>;
  /** By address: the pod that owned it, where another pod or none owns it now. */
  readonly formerOwners: ReadonlyMap<string, IdentifiedPeer>;
}

/** What tables are made with, beside the cluster. */
export interface CompilerOptions {
  /** `namespace/name` of the Service that sidecars find the injector at. Absent: not over the network. */
  readonly injectorService?: string;
  /** Bounds on policies; default `DEFAULT_POLICY_LIMITS`. */
  readonly policyLimits?: PolicyLimits;
  /** Groups with more members than this are large; default `DEFAULT_LARGE_GROUP`. */
  readonly largeGroup?: number;
  /** Bounds on Services; default `DEFAULT_SERVICE_LIMITS`. */
  readonly serviceLimits?: ServiceLimits;
}

/**
 * With more members than this a group is large: whole, it is a text of 700 kB that takes 100 ms to make, and some 40 MB of each
 * sidecar that has it (2 kB for a member: 100,000 took 160 MiB).
 */
export const DEFAULT_LARGE_GROUP = 20_000;

/** Compiles the tables of one cluster, which changes by `apply` only. */
export class Compiler {
  readonly #state: ClusterState;
  readonly #shapes: ShapeMaker;
  readonly #followers = new Followers();
  readonly #tables: TableMaker;
  readonly #asked = new WeakMap<TableShape, AskedOfPeers>();
  /** Large groups by the list that they are in, as the cluster is now. */
  readonly #large = new Map<GroupList, readonly LiveGroup[]>();
  /** The name servers among these virtual ports. */
  #dns: { readonly of: Table['services']; readonly servers: DnsServers } | undefined;

  constructor(cluster: Cluster = EMPTY_CLUSTER, options: CompilerOptions = {}) {
    this.#state = new ClusterState({
      policyLimits: DEFAULT_POLICY_LIMITS,
      largeGroup: DEFAULT_LARGE_GROUP,
      ...options,
    });
    this.#shapes = new ShapeMaker(this.#state);
    this.#tables = new TableMaker(this.#state);
    for (const change of clusterObjects(cluster)) this.apply(change, 'found');
    this.commit();
  }

  /** The cluster as it is; it shows each change that is applied. */
  get cluster(): Cluster {
    return this.#state.cluster;
  }

  /**
   * Makes one change; `commit` says what it led to. An object that is as before is no change.
   * @param order `seen`: a pod that gets an address now got it later than all before; `found`: its status has to say when
   */
  apply(change: ClusterChange, order: ChangeOrder = 'seen'): void {
    const { injectors } = this.#state;
    this.#state.apply(change, order);
    this.#large.clear();
    if (this.#state.injectors === injectors) return;
    // They stand in each table: rarely, as when the injector is upgraded, all change at once.
    for (const key of this.#followers.keys()) this.#state.changes.recordShape(key);
  }

  /**
   * From now on `commit` reports when a pod's table may have changed. All changes must have been committed. The pod need not
   * exist yet.
   */
  follow(key: string): void {
    if (!this.#followers.has(key)) this.#adopt(key);
  }

  /**
   * Whether a followed pod's table is used with every member of large groups. So it is until this says no; `movedInLarge` then says
   * which of them have changed.
   */
  needsWholeGroups(key: string, isNeeded: boolean): void {
    this.#followers.needsWhole(key, isNeeded);
  }

  /** Undoes `follow`. */
  unfollow(key: string): void {
    this.#followers.delete(key);
  }

  /** The present shape of a followed pod's table, with what it shares with the one before. */
  #adopt(key: string): TableShape | undefined {
    const { changes } = this.#state;
    const known = this.#followers.shape(key);
    if (known !== undefined && !changes.reshaped.has(key)) return known;
    const shape = this.#shapes.shapeAfter(known, key);
    if (shape !== known || !this.#followers.has(key)) this.#followers.set(key, shape);
    changes.shapeKnown(key);
    return shape;
  }

  /** Whether a change is known that may change a pod's table, and that neither `commit` nor `compile` has taken in. */
  isBehind(key: string): boolean {
    const { changes, policies, cluster } = this.#state;
    return changes.reshaped.has(key) || policies.isWaiting(cluster.pods.get(key)?.namespace ?? '');
  }

  /** Namespaces whose policies wait for the next `commit`, because `goOn` stopped the last one. */
  get waiting(): ReadonlySet<string> {
    return this.#state.policies.waiting;
  }

  /** Policies beyond a bound, by key, and which: they isolate and admit nothing. As of the last `commit`. */
  get excess(): ReadonlyMap<string, string> {
    return this.#state.policies.excess;
  }

  /** Services beyond a bound, by key, and which: some of their backends are left out. As of the last `commit`. */
  get serviceExcess(): ReadonlyMap<string, string> {
    return this.#state.virtualPorts.excess;
  }

  /**
   * Says what all changes since the last commit led to, and begins a new change set.
   * @param goOn asked after the policies of each namespace that changed: whether there is time for the next namespace. The
   *   namespaces that are left wait for the next commit; their earlier policies stay in force until then.
   */
  commit(goOn: () => boolean = () => true): ClusterUpdate {
    this.#state.enforcePolicies(goOn);
    const movedInLarge = new Set<string>();
    const touched = this.#touchedTables(movedInLarge);
    const formerOwners = this.#formerOwners();
    this.#state.commit((key) => this.#followers.has(key));
    this.#tables.committed();
    this.#large.clear();
    return { touched, movedInLarge, formerOwners };
  }

  /** @param movedInLarge gets the addresses that only concern some tables */
  #touchedTables(movedInLarge: Set<string>): ReadonlySet<string> {
    const { changes, groups, virtualPorts } = this.#state;
    const touched = new Set<string>();
    if (virtualPorts.isChanged) for (const key of this.#followers.withServices) touched.add(key);
    for (const group of groups.touched) {
      if (!group.isChanged) continue;
      const staysLarge = group.wasLarge && group.isLarge;
      this.#followers.addWithGroup(group.id, touched, staysLarge ? 'whole' : 'all');
      if (staysLarge) for (const address of group.changedAddresses()) movedInLarge.add(address);
    }
    for (const key of changes.reshaped) {
      if (!this.#followers.has(key)) continue;
      touched.add(key);
      // A pod without a table is done with here: nobody asks `compile` for it.
      const pod = this.cluster.pods.get(key);
      if (pod === undefined || !isSubject(pod)) this.#adopt(key);
    }
    return touched;
  }

  #formerOwners(): Map<string, IdentifiedPeer> {
    const former = new Map<string, IdentifiedPeer>();
    for (const [address, owner] of this.#state.changes.owners) {
      const now = this.#state.directory.owner(address);
      if (owner !== undefined && now?.uid !== owner.uid) former.set(address, this.#state.peer(owner));
    }
    return former;
  }

  /**
   * The table of the pod with this `namespace/name`, as of the last `commit`. Throws POD_NOT_SUBJECT when policy cannot select
   * the pod.
   */
  compile(key: string, revision: number): Table {
    const shape = this.#followers.has(key) ? this.#adopt(key) : this.#shapes.shape(key);
    if (shape === undefined) throw notSubject(key, this.cluster.pods.get(key));
    return this.#tables.table(shape, revision);
  }

  /** Who has an address, and a namespace's labels: what tables of schema 1 hold. */
  get directory(): DirectoryV1 {
    return {
      owner: (address) => this.#state.directory.owner(address),
      namespaceLabels: (name) => this.#state.namespaceLabels(name),
    };
  }

  /** Whether a followed pod's rules name the pod that has an address. */
  knows(key: string, address: string): boolean {
    return (this.#followers.shape(key)?.groups ?? []).some((id) => this.#state.groups.get(id)?.has(address));
  }

  /** Whether a group of tables is large: more than the bound has made it so, and fewer than three quarters of it have not ended that. */
  isLarge(groupId: string): boolean {
    return this.#state.groups.get(groupId)?.isLarge === true;
  }

  /** Whether an address is a member of a large group of a followed pod's table. */
  isInLarge(key: string, address: string): boolean {
    const list = this.#followers.shape(key)?.groups;
    return list !== undefined && this.#largeOf(list).some((group) => group.has(address));
  }

  /** The large ones of the groups of tables. They are looked for once between two changes: a sidecar asks about many addresses. */
  #largeOf(list: GroupList): readonly LiveGroup[] {
    const known = this.#large.get(list);
    if (known !== undefined) return known;
    const large = list.flatMap((id) => this.#state.groups.get(id) ?? []).filter(({ isLarge }) => isLarge);
    this.#large.set(list, large);
    return large;
  }

  /** What the rules of a followed pod ask of others. */
  askedOfPeers(key: string): AskedOfPeers {
    const shape = this.#followers.shape(key);
    if (shape === undefined) return NOTHING_ASKED;
    const known = this.#asked.get(shape);
    if (known !== undefined) return known;
    const selectors = shape.groups.flatMap((id) => this.#state.groups.get(id)?.test ?? []);
    const asked = askedOfPeers(selectors, shape.egress);
    this.#asked.set(shape, asked);
    return asked;
  }

  /**
   * A sentence about a pod whose egress is isolated while its rules admit no name server of the cluster; undefined for any
   * other pod. It goes by the policies that the last `commit` put in force. The cost grows with the pod's rules, and with
   * the namespace's policies too where the pod is not followed.
   */
  forgottenDns(key: string): string | undefined {
    const { changes, groups, directory, policies, cluster } = this.#state;
    const inForce = policies.inForce(cluster.pods.get(key)?.namespace ?? '');
    if (!inForce.some(({ policyTypes }) => policyTypes.includes('egress'))) return undefined;
    const known = changes.reshaped.has(key) ? undefined : this.#followers.shape(key);
    const shape = known ?? this.#shapes.shape(key);
    if (shape === undefined) return undefined;
    return forgottenDns(
      {
        ...shape,
        isMember: (group, address) => groups.get(group)?.has(address) === true,
        portsOf: (address) => directory.owner(address)?.ports ?? [],
      },
      this.#dnsServers(),
    );
  }

  #dnsServers(): DnsServers {
    const { map } = this.#state.virtualPorts;
    if (this.#dns?.of !== map) this.#dns = { of: map, servers: dnsServers(map) };
    return this.#dns.servers;
  }

  /** The pod that owns a canonical address, as far as any policy can ask of it. */
  identify(address: string): IdentifiedPeer | undefined {
    const owner = this.#state.directory.owner(address);
    return owner === undefined ? undefined : this.#state.peer(owner);
  }
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
