/**
 * What changes in tables whose shape stays: what the change set touched in their groups and Services. It is worked out from
 * what was touched, never from whole tables, and once for all tables with the same groups.
 */

import { ownEntry } from '../key.ts';
import type { Labels } from '../model.ts';
import type { GroupDelta, PodIdentity } from '../table/index.ts';
import type { ClusterState } from './cluster_state.ts';
import {
  corrected,
  type GroupChanges,
  type GroupList,
  made,
  NOTHING,
  record,
  type ServiceChanges,
  type TableChanges,
} from './table_changes.ts';
import type { TableShape } from './table_shape.ts';

/** The changes of one change set. */
export class ChangesWithin {
  readonly #state: ClusterState;
  readonly #byList = new Map<GroupList, GroupChanges>();
  #touchedServices: ServiceChanges | undefined;

  /** @param state must not change while this is in use */
  constructor(state: ClusterState) {
    this.#state = state;
  }

  /** What changes in a table whose shape stays. Undefined: nothing does. */
  of(shape: TableShape): TableChanges | undefined {
    const { directory, changes } = this.#state;
    const shared = this.#groupChanges(shape.groups);
    const { namespace, ips } = shape.subject;
    const own = ips.flatMap((ip): [string, PodIdentity | undefined][] => {
      const now = directory.owner(ip);
      if (now !== undefined && changes.owners.has(ip) && changes.owners.get(ip) !== now) return [[ip, now]];
      // The address left all groups, but it is still the pod's own. One that has no owner any more leaves with the next shape.
      return ownEntry(shared.pods, ip) === null ? [[ip, undefined]] : [];
    });
    const isRenamed = changes.labels.has(namespace);
    const leaves = ownEntry(shared.namespaces, namespace) === null;
    return made({
      groups: shared.groups,
      pods: corrected(shared.pods, own),
      namespaces:
        isRenamed || leaves
          ? corrected(shared.namespaces, [
              [namespace, isRenamed ? this.#state.namespaceLabels(namespace) : undefined],
            ])
          : shared.namespaces,
      services: shape.hasServices ? this.#serviceChanges() : NOTHING,
    });
  }

  #groupChanges(ids: GroupList): GroupChanges {
    const known = this.#byList.get(ids);
    if (known !== undefined) return known;
    const { directory, groups: all } = this.#state;
    const { owners, labels } = this.#state.changes;
    const groups = ids.flatMap((id) => all.get(id) ?? []);
    const touched = groups.filter((group) => all.touched.has(group));
    const pods: [string, PodIdentity | null][] = [];
    for (const address of union(touched.map((group) => group.touched))) {
      const had = groups.some((group) => group.had(address));
      const has = groups.some((group) => group.members.has(address));
      const now = directory.owner(address);
      const before = owners.has(address) ? owners.get(address) : now;
      if (has && now !== undefined && !(had && before === now)) pods.push([address, now]);
      else if (had && !has) pods.push([address, null]);
    }
    const namespaces: [string, Labels | null][] = [];
    for (const name of union([labels.keys(), ...touched.map((group) => group.touchedNamespaces)])) {
      const had = groups.some((group) => group.hadNamespace(name));
      const has = groups.some((group) => group.hasNamespace(name));
      if (has && (!had || labels.has(name))) namespaces.push([name, this.#state.namespaceLabels(name)]);
      else if (had && !has) namespaces.push([name, null]);
    }
    const deltas = touched.flatMap((group): [string, GroupDelta][] => {
      const delta = group.delta();
      return delta === undefined ? [] : [[group.id, delta]];
    });
    const changes = { groups: record(deltas), pods: record(pods), namespaces: record(namespaces) };
    this.#byList.set(ids, changes);
    return changes;
  }

  /** The same for all tables that have Services. What has come and gone again is no change. */
  #serviceChanges(): ServiceChanges {
    const { virtualPorts } = this.#state;
    if (!virtualPorts.isTouched) return NOTHING;
    this.#touchedServices ??= record(Object.entries(virtualPorts.delta()));
    return this.#touchedServices;
  }
}

function union(sets: Iterable<Iterable<string>>): Set<string> {
  const all = new Set<string>();
  for (const set of sets) for (const item of set) all.add(item);
  return all;
}
