/** Makes whole tables of their shapes. */

import { type AddressGroup, ServiceMap, type Table, type TableGroups } from '../table/index.ts';
import type { ClusterState } from './cluster_state.ts';
import type { GroupList, TableShape } from './table_shape.ts';

/** In the tables of pods that egress policy does not isolate. */
const NO_SERVICES = ServiceMap.from([]);

/** Of one cluster. Tables with the same groups share one map of them, which is another object once one of them changes. */
export class TableMaker {
  readonly #state: ClusterState;
  readonly #groups = new WeakMap<GroupList, { readonly commit: number; readonly groups: TableGroups }>();
  #commit = 0;

  constructor(state: ClusterState) {
    this.#state = state;
  }

  /** The cluster has changed. */
  committed(): void {
    this.#commit += 1;
  }

  /** @param shape as the cluster is */
  table({ subject, policies, ingress, egress, groups, hasServices }: TableShape, revision: number): Table {
    return {
      revision,
      subject,
      policies,
      ingress,
      egress,
      groups: this.#groupsOf(groups),
      services: hasServices ? this.#state.virtualPorts.map : NO_SERVICES,
    };
  }

  #groupsOf(ids: GroupList): TableGroups {
    const known = this.#groups.get(ids);
    if (known?.commit === this.#commit) return known.groups;
    const groups = new Map<string, AddressGroup>();
    for (const id of ids) {
      const group = this.#state.groups.get(id)?.group;
      if (group !== undefined) groups.set(id, group);
    }
    const isSame = known !== undefined && sameEntries(known.groups, groups);
    const kept = isSame ? known.groups : groups;
    this.#groups.set(ids, { commit: this.#commit, groups: kept });
    return kept;
  }
}

function sameEntries(a: TableGroups, b: TableGroups): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}
