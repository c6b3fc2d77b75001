/** Makes whole tables of their shapes. */

import { Recent } from '../../common/recent.ts';
import { type PodIdentity, TABLE_SCHEMA, type Table } from '../table/index.ts';
import type { ClusterState } from './cluster_state.ts';
import type { GroupList } from './table_changes.ts';
import type { TableShape } from './table_shape.ts';

/** In the tables of pods that egress policy does not isolate. */
const NO_SERVICES: Table['services'] = {};

/** What of a table comes from its groups. */
type Contents = Pick<Table, 'groups' | 'pods' | 'namespaces'>;

/** Each may be as large as a table. */
const MAX_CONTENTS = 8;

/** Of one cluster. What tables with the same groups have in common is made once and kept for a while. */
export class TableMaker {
  readonly #state: ClusterState;
  readonly #contents = new Recent<GroupList, Contents>(MAX_CONTENTS);

  constructor(state: ClusterState) {
    this.#state = state;
  }

  /** The cluster has changed: what was kept is no longer true. */
  clear(): void {
    this.#contents.clear();
  }

  /** @param shape as the cluster is */
  table(shape: TableShape, revision: number): Table {
    const { subject, ingress, egress, hasServices } = shape;
    const { groups, pods, namespaces } = this.#contents.get(shape.groups) ?? this.#contentsOf(shape.groups);
    const own = subject.ips.flatMap((ip): [string, PodIdentity][] => {
      const owner = Object.hasOwn(pods, ip) ? undefined : this.#state.directory.owner(ip);
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
        : { ...namespaces, ...Object.fromEntries([[namespace, this.#state.namespaceLabels(namespace)]]) },
      services: hasServices ? this.#state.virtualPorts.record : NO_SERVICES,
    };
  }

  #contentsOf(ids: GroupList): Contents {
    const groups = ids.flatMap((id) => this.#state.groups.get(id) ?? []);
    const addresses = new Set<string>();
    const names = new Set<string>();
    for (const group of groups) {
      for (const address of group.members) addresses.add(address);
      for (const name of group.namespaces.keys()) names.add(name);
    }
    const pods = [...addresses].flatMap((address): [string, PodIdentity][] => {
      const owner = this.#state.directory.owner(address);
      return owner === undefined ? [] : [[address, owner]];
    });
    return this.#contents.keep(ids, {
      groups: Object.fromEntries(groups.map(({ id, group }) => [id, group])),
      pods: Object.fromEntries(pods),
      namespaces: Object.fromEntries([...names].map((name) => [name, this.#state.namespaceLabels(name)])),
    });
  }
}
