/** Pods whose tables are kept track of, by what of the cluster is in these tables. */

import { SetIndex } from './set_index.ts';
import type { GroupList, TableShape } from './table_shape.ts';

/** Followed pods by key, each with the shape that its table was last given; undefined: it has no table. */
export class Followers {
  readonly #shapes = new Map<string, TableShape | undefined>();
  /** Many tables share one list of groups. So few lists have to be searched when a group changes. */
  readonly #byList = new Map<GroupList, Set<string>>();
  readonly #listsByGroup = new SetIndex<GroupList>();
  readonly #withServices = new Set<string>();

  keys(): Iterable<string> {
    return this.#shapes.keys();
  }

  has(key: string): boolean {
    return this.#shapes.has(key);
  }

  shape(key: string): TableShape | undefined {
    return this.#shapes.get(key);
  }

  /** Those that egress policy isolates. */
  get withServices(): ReadonlySet<string> {
    return this.#withServices;
  }

  /** Adds those whose table has a group to a set. */
  addWithGroup(id: string, found: Set<string>): void {
    for (const list of this.#listsByGroup.get(id))
      for (const key of this.#byList.get(list) ?? []) found.add(key);
  }

  /** Begins to follow a pod, or has its table in another shape. */
  set(key: string, shape: TableShape | undefined): void {
    const before = this.#shapes.get(key);
    this.#shapes.set(key, shape);
    if (before?.groups !== shape?.groups) {
      if (shape !== undefined) this.#addTo(shape.groups, key);
      if (before !== undefined) this.#deleteFrom(before.groups, key);
    }
    if (shape?.hasServices) this.#withServices.add(key);
    else this.#withServices.delete(key);
  }

  delete(key: string): void {
    this.set(key, undefined);
    this.#shapes.delete(key);
  }

  #addTo(list: GroupList, key: string): void {
    const pods = this.#byList.get(list);
    if (pods !== undefined) {
      pods.add(key);
      return;
    }
    this.#byList.set(list, new Set([key]));
    for (const id of list) this.#listsByGroup.add(id, list);
  }

  #deleteFrom(list: GroupList, key: string): void {
    const pods = this.#byList.get(list);
    if (!pods?.delete(key) || pods.size > 0) return;
    this.#byList.delete(list);
    for (const id of list) this.#listsByGroup.delete(id, list);
  }
}
