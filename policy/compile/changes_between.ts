/**
 * What changes in tables whose shape changes while the cluster stays as it is. It is worked out from the groups that come and
 * go, never from whole tables, and kept for other tables that go from the same groups to the same groups.
 */

import { Recent } from '../../common/recent.ts';
import type { Labels } from '../model.ts';
import type { GroupDelta, PodIdentity } from '../table/index.ts';
import type { ClusterState } from './cluster_state.ts';
import type { LiveGroup } from './live_group.ts';
import {
  corrected,
  type GroupChanges,
  type GroupList,
  made,
  NO_CHANGES,
  NOTHING,
  record,
  type ServiceChanges,
  type TableChanges,
} from './table_changes.ts';
import type { TableShape } from './table_shape.ts';

/** Changes between lists of groups that are kept: each may be as large as a table. */
const MAX_KEPT = 8;

/** The changes between shapes, of one state of the cluster. */
export class ChangesBetween {
  readonly #state: ClusterState;
  /** By the list after. */
  readonly #recent = new Recent<GroupList, { readonly old: GroupList; readonly changes: GroupChanges }>(
    MAX_KEPT,
  );

  /** @param state as committed */
  constructor(state: ClusterState) {
    this.#state = state;
  }

  /** The cluster has changed: what was kept is no longer true. */
  clear(): void {
    this.#recent.clear();
  }

  /**
   * What leads from a table of shape `old` to one of `shape`, where nothing but the shape has changed. Undefined when the two
   * tables are the same.
   */
  of(old: TableShape, shape: TableShape): TableChanges | undefined {
    const { directory } = this.#state;
    const shared = this.#groupChanges(old.groups, shape.groups);
    const { namespace } = shape.subject;
    const own = [...new Set([...old.subject.ips, ...shape.subject.ips])].flatMap(
      (ip): [string, PodIdentity | null | undefined][] => {
        const had = old.subject.ips.includes(ip) || this.#isIn(old.groups, ip);
        const has = shape.subject.ips.includes(ip) || this.#isIn(shape.groups, ip);
        if (had === has) return Object.hasOwn(shared.pods, ip) ? [[ip, undefined]] : [];
        return [[ip, has ? directory.owner(ip) : null]];
      },
    );
    const isIn = Object.hasOwn(shared.namespaces, namespace);
    return made({
      ...(old.subject === shape.subject ? {} : { subject: shape.subject }),
      ...(old.ingress === shape.ingress ? {} : { ingress: shape.ingress }),
      ...(old.egress === shape.egress ? {} : { egress: shape.egress }),
      groups: shared.groups,
      pods: corrected(shared.pods, own),
      namespaces: isIn ? corrected(shared.namespaces, [[namespace, undefined]]) : shared.namespaces,
      services: this.#serviceChanges(old.hasServices, shape.hasServices),
    });
  }

  #live(ids: GroupList): LiveGroup[] {
    return ids.flatMap((id) => this.#state.groups.get(id) ?? []);
  }

  #isIn(ids: GroupList, address: string): boolean {
    return this.#live(ids).some(({ members }) => members.has(address));
  }

  #groupChanges(old: GroupList, ids: GroupList): GroupChanges {
    if (old === ids) return NO_CHANGES;
    const known = this.#recent.get(ids);
    if (known?.old === old) return known.changes;
    const { directory } = this.#state;
    const [before, after] = [this.#live(old), this.#live(ids)];
    const [was, is] = [new Set(before), new Set(after)];
    const added = after.filter((group) => !was.has(group));
    const removed = before.filter((group) => !is.has(group));
    const members = (group: LiveGroup) => group.members;
    const namespacesOf = (group: LiveGroup) => group.namespaces;
    const pods: [string, PodIdentity | null][] = [];
    for (const address of onlyIn(removed.map(members), after.map(members))) pods.push([address, null]);
    for (const address of onlyIn(added.map(members), before.map(members)))
      pods.push([address, directory.owner(address) ?? null]);
    const namespaces: [string, Labels | null][] = [];
    for (const name of onlyIn(removed.map(namespacesOf), after.map(namespacesOf)))
      namespaces.push([name, null]);
    for (const name of onlyIn(added.map(namespacesOf), before.map(namespacesOf)))
      namespaces.push([name, this.#state.namespaceLabels(name)]);
    const deltas = [
      ...added.map((group): [string, GroupDelta] => [group.id, { kind: 'set', group: group.group }]),
      ...removed.map((group): [string, GroupDelta] => [group.id, { kind: 'removed' }]),
    ];
    const changes = { groups: record(deltas), pods: record(pods), namespaces: record(namespaces) };
    return this.#recent.keep(ids, { old, changes }).changes;
  }

  #serviceChanges(had: boolean, has: boolean): ServiceChanges {
    if (had === has) return NOTHING;
    const entries = Object.entries(this.#state.virtualPorts.record);
    if (entries.length === 0) return NOTHING;
    return has ? this.#state.virtualPorts.record : Object.fromEntries(entries.map(([key]) => [key, null]));
  }
}

/** What is in some of the first and in none of the others. Costs no more than all of them hold. */
function onlyIn(some: readonly Members[], others: readonly Members[]): Set<string> {
  // Of many sets the largest is tried first: it holds most of what is looked for.
  const largest = others.reduce<Members>((most, other) => (other.size > most.size ? other : most), new Set());
  const found = new Set<string>();
  for (const one of some) for (const item of one.keys()) if (!largest.has(item)) found.add(item);
  for (const other of others) {
    if (found.size === 0) break;
    if (other.size < found.size) for (const item of other.keys()) found.delete(item);
    else for (const item of found) if (other.has(item)) found.delete(item);
  }
  return found;
}

/** A set, or the keys of a map. */
type Members = Pick<ReadonlyMap<string, unknown>, 'has' | 'keys' | 'size'>;
