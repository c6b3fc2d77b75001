/** A cluster as it is, what is derived from it for all tables, and what has changed since the last commit. */

import { unreachable } from '../../common/errors.ts';
import { objectKey } from '../key.ts';
import type { Labels, NetworkPolicy, Pod } from '../model.ts';
import type { PolicyLimits } from '../objects/index.ts';
import { matchesSelector, NAMESPACE_NAME_LABEL } from '../rules/index.ts';
import { type Backend, type IdentifiedPeer, type PodIdentity, sameData, tagOf } from '../table/index.ts';
import { ChangeSet } from './change_set.ts';
import type { ClusterChange } from './cluster_change.ts';
import { type ChangeOrder, Directory } from './directory.ts';
import { Groups } from './groups.ts';
import { LiveCluster } from './live_cluster.ts';
import { NamespacePolicies } from './namespace_policies.ts';
import type { ServiceLimits } from './service_bounds.ts';
import { serviceSockets } from './service_sockets.ts';
import { serviceOf, VirtualPorts } from './services.ts';
import { SetIndex } from './set_index.ts';

/** What a cluster is kept with, beside its objects. */
export interface StateOptions {
  readonly policyLimits: PolicyLimits;
  /** Default `DEFAULT_SERVICE_LIMITS`. */
  readonly serviceLimits?: ServiceLimits | undefined;
  /** Groups with more members are large. */
  readonly largeGroup: number;
  /** `namespace/name`; absent: sidecars do not find the injector over the network. */
  readonly injectorService?: string | undefined;
}

/**
 * The order of calls: `apply` for each change, then `enforcePolicies`, then `commit`. After `enforcePolicies` and before `commit` it
 * can be asked both how things are and how they were at the last commit.
 */
export class ClusterState {
  readonly cluster = new LiveCluster();
  readonly directory = new Directory();
  readonly groups: Groups;
  readonly virtualPorts: VirtualPorts;
  readonly policies: NamespacePolicies;
  readonly changes = new ChangeSet();
  readonly #podsByNamespace = new SetIndex<string>();
  readonly #podsByNode = new SetIndex<string>();
  readonly #injectorService: string | undefined;
  #injectors: readonly Backend[] = [];

  constructor({ policyLimits, serviceLimits, largeGroup, injectorService }: StateOptions) {
    this.groups = new Groups(this.directory, (name) => this.namespaceLabels(name), largeGroup);
    this.virtualPorts = new VirtualPorts(serviceLimits);
    this.policies = new NamespacePolicies(this.groups, policyLimits);
    this.#injectorService = injectorService;
  }

  /** Where the injector takes connections. Each time that this may have changed it is a new list. */
  get injectors(): readonly Backend[] {
    return this.#injectors;
  }

  /** The labels of a namespace. One that no Namespace object describes has its metadata.name label only. */
  namespaceLabels(name: string): Labels {
    return this.cluster.namespaces.get(name)?.labels ?? { [NAMESPACE_NAME_LABEL]: name };
  }

  /** A pod as far as any policy can ask of it. */
  peer({ uid, ...pod }: PodIdentity): IdentifiedPeer {
    return { pod: { ...pod, namespaceLabels: this.namespaceLabels(pod.namespace) }, tag: tagOf(uid) };
  }

  /** Makes one change and records what it touches. An object that is as before is no change. */
  apply(change: ClusterChange, order: ChangeOrder): void {
    const { key } = change;
    switch (change.kind) {
      case 'Namespace':
        return this.#applyNamespace(change);
      case 'Pod': {
        const before = this.cluster.pods.get(key);
        if (sameData(before, change.object)) return;
        this.cluster.apply(change);
        return this.#replacePod(key, before, change.object, order);
      }
      case 'NetworkPolicy': {
        const before = this.cluster.policies.get(key);
        if (sameData(before, change.object)) return;
        this.cluster.apply(change);
        return this.policies.replace(before, change.object);
      }
      case 'Node': {
        if (sameData(this.cluster.nodes.get(key), change.object)) return;
        this.cluster.apply(change);
        for (const pod of this.#podsByNode.get(key)) this.changes.recordShape(pod);
        return;
      }
      case 'Service': {
        this.cluster.apply(change);
        if (key === this.#injectorService) this.#findInjectors(key);
        return this.virtualPorts.setService(key, change.object);
      }
      case 'EndpointSlice': {
        const before = this.cluster.endpointSlices.get(key);
        this.cluster.apply(change);
        for (const service of [serviceOf(before), serviceOf(change.object)])
          if (service !== undefined && service === this.#injectorService) this.#findInjectors(service);
        return this.virtualPorts.setSlice(key, before, change.object);
      }
      default:
        return unreachable(change);
    }
  }

  #findInjectors(serviceKey: string): void {
    this.#injectors = serviceSockets(this.cluster, serviceKey);
  }

  #applyNamespace(change: ClusterChange & { readonly kind: 'Namespace' }): void {
    const { key } = change;
    const before = this.namespaceLabels(key);
    this.cluster.apply(change);
    const after = this.namespaceLabels(key);
    if (sameData(before, after)) return;
    this.groups.namespaceChanged(key, before, after);
    this.policies.relabelled(before, after);
  }

  #replacePod(key: string, before: Pod | undefined, after: Pod | undefined, order: ChangeOrder): void {
    if (before !== undefined) this.#filePod(key, before, false);
    if (after !== undefined) this.#filePod(key, after, true);
    this.changes.recordShape(key);
    for (const change of this.directory.replace(before, after, order)) {
      this.changes.recordOwner(change.address, change.before);
      this.groups.ownerChanged(change);
      this.policies.addressMoved();
      // The address is, or was, one of the own addresses in the tables of both pods.
      for (const pod of [change.before, change.after]) {
        if (pod !== undefined) this.changes.recordShape(objectKey(pod.namespace, pod.name));
      }
    }
  }

  #filePod(key: string, { namespace, nodeName }: Pod, isThere: boolean): void {
    const file = isThere ? 'add' : 'delete';
    this.#podsByNamespace[file](namespace, key);
    if (nodeName !== undefined) this.#podsByNode[file](nodeName, key);
  }

  /** Puts policies that were applied in force, and records whose tables they may change; see `NamespacePolicies.enforce`. */
  enforcePolicies(goOn: () => boolean): void {
    for (const { namespace, changed } of this.policies.enforce(goOn))
      this.#recordSelected(namespace, changed);
  }

  /** Records the pods that one of these policies selects. A policy that has gone is among `changed` too. */
  #recordSelected(namespace: string, changed: readonly NetworkPolicy[]): void {
    for (const key of this.#podsByNamespace.get(namespace)) {
      if (this.changes.reshaped.has(key)) continue;
      const labels = this.cluster.pods.get(key)?.labels ?? {};
      if (changed.some(({ podSelector }) => matchesSelector(podSelector, labels)))
        this.changes.recordShape(key);
    }
  }

  /**
   * Ends the change set: how things are becomes "before" for all changes to come.
   * @param isFollowed whether somebody will still look at the shape of a pod's table
   */
  commit(isFollowed: (podKey: string) => boolean): void {
    this.changes.commit(isFollowed);
    this.groups.commit();
    this.virtualPorts.commit();
  }
}
