/** Pods whose tables are kept track of, by what of the cluster is in these tables. */

import { SetIndex } from './set_index.ts';
import type { GroupList, TableShape } from './table_shape.ts';

/** The pods whose tables have one list of groups. */
interface ListPods {
  readonly all: Set<string>;
  /** Those of them that need every member of large groups. */
  readonly whole: Set<string>;
}

/** Followed pods by key, each with the shape that its table was last given; undefined: it has no table. */
export class Followers {
  readonly #shapes = new Map<string, TableShape | undefined>();
  /** Many tables share one list of groups. So few lists have to be searched when a group changes. */
  readonly #byList = new Map<GroupList, ListPods>();
  readonly #listsByGroup = new SetIndex<GroupList>();
  readonly #withServices = new Set<string>();
  /** Those that do not need every member of large groups. */
  readonly #partial = new Set<string>();

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

  /**
   * Adds those whose table has a group to a set.
   * @param who all of them, or those that need every member of large groups
   */
  addWithGroup(id: string, found: Set<string>, who: keyof ListPods): void {
    for (const list of this.#listsByGroup.get(id))
      for (const key of this.#byList.get(list)?.[who] ?? []) found.add(key);
  }

  /** Whether a pod needs every member of large groups: so it is until this says no. */
  needsWhole(key: string, isNeeded: boolean): void {
    if (isNeeded) this.#partial.delete(key);
    else this.#partial.add(key);
    const list = this.#shapes.get(key)?.groups;
    if (list === undefined) return;
    this.#byList.get(list)?.whole[isNeeded ? 'add' : 'delete'](key);
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
    this.#partial.delete(key);
  }

  #addTo(list: GroupList, key: string): void {
    const known = this.#byList.get(list);
    const pods = known ?? { all: new Set<string>(), whole: new Set<string>() };
    pods.all.add(key);
    if (!this.#partial.has(key)) pods.whole.add(key);
    if (known !== undefined) return;
    this.#byList.set(list, pods);
    for (const id of list) this.#listsByGroup.add(id, list);
  }

  #deleteFrom(list: GroupList, key: string): void {
    const pods = this.#byList.get(list);
    pods?.whole.delete(key);
    if (!pods?.all.delete(key) || pods.all.size > 0) return;
    this.#byList.delete(list);
    for (const id of list) this.#listsByGroup.delete(id, list);
  }
}
