/**
 * Compiles tables: one pod's share of a cluster's policies, with selectors resolved to address groups. A change of the
 * cluster costs what it touches: the groups an address is in, and the tables of followed pods that these are in.
 *
 * A change goes through three calls. `apply` makes it and records what it touches. `commit` puts policies in force and says what all
 * changes since the last commit mean for tables. `reshape` is then called for each pod that `commit` names: it says what changes
 * in that table because the pod or its rules did.
 */

import { SluiceError } from '../../common/errors.ts';
import type { Cluster, Pod } from '../model.ts';
import { DEFAULT_POLICY_LIMITS, type PolicyLimits } from '../objects/index.ts';
import { podKey } from '../rules/index.ts';
import {
  type AskedOfPeers,
  askedOfPeers,
  type DnsServers,
  dnsServers,
  forgottenDns,
  NOTHING_ASKED,
  type PeerIdentity,
  type Table,
} from '../table/index.ts';
import { ChangesBetween } from './changes_between.ts';
import { ChangesWithin } from './changes_within.ts';
import { type ClusterChange, clusterChanges } from './cluster_change.ts';
import { ClusterState } from './cluster_state.ts';
import type { ChangeOrder } from './directory.ts';
import { EMPTY_CLUSTER } from './live_cluster.ts';
import type { VirtualPorts } from './services.ts';
import { ShapeMaker } from './shape_maker.ts';
import type { TableChanges } from './table_changes.ts';
import { Followers } from './table_followers.ts';
import { TableMaker } from './table_maker.ts';
import type { TableShape } from './table_shape.ts';

/** How the table of a followed pod differs from when it was last looked at. */
type TableUpdate =
  /** These parts of it have changed. */
  | { readonly kind: 'changed'; readonly changes: TableChanges }
  /** It has become a pod with a table. */
  | { readonly kind: 'new' }
  /** It has no table any more. */
  | { readonly kind: 'gone' };

/** What the changes of one commit led to. */
export interface ClusterUpdate {
  /** By pod key: what changes in tables of followed pods because groups or Services did. Comes before what `reshape` says. */
  readonly tables: ReadonlyMap<string, TableChanges>;
  /** Followed pods whose table may also change by its rules or by the pod itself: the caller asks `reshape` about each. */
  readonly reshaped: ReadonlySet<string>;
  /** By address: the pod that owned it, where another pod or none owns it now. */
  readonly formerOwners: ReadonlyMap<string, PeerIdentity>;
}

/** What tables are made with, beside the cluster. */
export interface CompilerOptions {
  /** `namespace/name` of the Service that sidecars find the injector at. Absent: not over the network. */
  readonly injectorService?: string;
  /** Bounds on policies; default `DEFAULT_POLICY_LIMITS`. */
  readonly policyLimits?: PolicyLimits;
}

/** Compiles the tables of one cluster, which changes by `apply` only. */
export class Compiler {
  readonly #state: ClusterState;
  readonly #shapes: ShapeMaker;
  readonly #followers = new Followers();
  readonly #tables: TableMaker;
  readonly #changesBetween: ChangesBetween;
  readonly #asked = new WeakMap<TableShape, AskedOfPeers>();
  /** The name servers among these virtual ports. */
  #dns: { readonly of: VirtualPorts['record']; readonly servers: DnsServers } | undefined;

  constructor(cluster: Cluster = EMPTY_CLUSTER, options: CompilerOptions = {}) {
    this.#state = new ClusterState(options.policyLimits ?? DEFAULT_POLICY_LIMITS, options.injectorService);
    this.#shapes = new ShapeMaker(this.#state);
    this.#tables = new TableMaker(this.#state);
    this.#changesBetween = new ChangesBetween(this.#state);
    for (const change of clusterChanges(EMPTY_CLUSTER, cluster)) this.apply(change, 'found');
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
    if (this.#state.injectors === injectors) return;
    // They stand in each table: rarely, as when the injector is upgraded, all change at once.
    for (const key of this.#followers.keys()) this.#state.changes.recordShape(key);
  }

  /**
   * From now on `commit` reports what changes in a pod's table. All changes must have been committed. The pod need not exist
   * yet.
   */
  follow(key: string): void {
    if (!this.#followers.has(key)) this.#adopt(key);
  }

  /** Undoes `follow`. */
  unfollow(key: string): void {
    this.#followers.delete(key);
  }

  /** Takes the present shape of a followed pod's table as the one that its holder knows. */
  #adopt(key: string): TableShape | undefined {
    const shape = this.#shapes.shape(key);
    this.#followers.set(key, shape);
    this.#state.changes.shapeKnown(key);
    return shape;
  }

  /** Whether a change is known that may change a pod's table, and that no `commit` or `reshape` has reported yet. */
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

  /**
   * Says what all changes since the last commit led to, and begins a new change set.
   * @param goOn asked after the policies of each namespace that changed: whether there is time for the next namespace. The
   *   namespaces that are left wait for the next commit; their earlier policies stay in force until then.
   */
  commit(goOn: () => boolean = () => true): ClusterUpdate {
    this.#state.enforcePolicies(goOn);
    const tables = this.#changedTables();
    const formerOwners = this.#formerOwners();
    this.#state.commit(
      (key) => this.#followers.has(key),
      (id) => this.#followers.haveGroup(id),
    );
    this.#changesBetween.clear();
    this.#tables.clear();
    return { tables, reshaped: new Set(this.#state.changes.reshaped), formerOwners };
  }

  #changedTables(): Map<string, TableChanges> {
    const changes = new ChangesWithin(this.#state);
    const tables = new Map<string, TableChanges>();
    for (const key of this.#touchedTables()) {
      const shape = this.#followers.shape(key);
      const changed = shape === undefined ? undefined : changes.of(shape);
      if (changed !== undefined) tables.set(key, changed);
    }
    return tables;
  }

  /** Followed pods whose table may change though its shape stays. */
  #touchedTables(): Iterable<string> {
    const { changes, groups, virtualPorts } = this.#state;
    if (changes.labels.size > 0) return this.#followers.keys();
    const touched = new Set<string>();
    if (virtualPorts.isTouched) for (const key of this.#followers.withServices) touched.add(key);
    for (const { id } of groups.touched) this.#followers.addWithGroup(id, touched);
    // Pods whose own addresses have another owner are among these.
    for (const key of changes.reshaped) if (this.#followers.has(key)) touched.add(key);
    return touched;
  }

  #formerOwners(): Map<string, PeerIdentity> {
    const former = new Map<string, PeerIdentity>();
    for (const [address, owner] of this.#state.changes.owners) {
      const now = this.#state.directory.owner(address);
      if (owner !== undefined && now?.uid !== owner.uid) former.set(address, this.#state.peer(owner));
    }
    return former;
  }

  /**
   * What has changed in a followed pod's table, by its rules or by the pod itself, since the last look at it. All changes must
   * have been committed. Undefined: nothing.
   */
  reshape(key: string): TableUpdate | undefined {
    const old = this.#followers.shape(key);
    const shape = this.#shapes.shapeAfter(old, key);
    this.#state.changes.shapeKnown(key);
    if (shape !== old) this.#followers.set(key, shape);
    if (old === undefined) return shape === undefined ? undefined : { kind: 'new' };
    if (shape === undefined) return { kind: 'gone' };
    const changes = shape === old ? undefined : this.#changesBetween.of(old, shape);
    return changes === undefined ? undefined : { kind: 'changed', changes };
  }

  /**
   * The table of the pod with this `namespace/name`, as of the last `commit`. For a followed pod `reshape` has nothing left to
   * say then. Throws POD_NOT_SUBJECT when policy cannot select the pod.
   */
  compile(key: string, revision: number): Table {
    const shape = this.#followers.has(key) ? this.#adopt(key) : this.#shapes.shape(key);
    if (shape === undefined) throw notSubject(key, this.cluster.pods.get(key));
    return this.#tables.table(shape, revision);
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
        isMember: (group, address) => groups.get(group)?.members.has(address) === true,
        portsOf: (address) => directory.owner(address)?.ports ?? [],
      },
      this.#dnsServers(),
    );
  }

  #dnsServers(): DnsServers {
    const { record } = this.#state.virtualPorts;
    if (this.#dns?.of !== record) this.#dns = { of: record, servers: dnsServers(record) };
    return this.#dns.servers;
  }

  /** The pod that owns a canonical address, as far as any policy can ask of it. */
  identify(address: string): PeerIdentity | undefined {
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
