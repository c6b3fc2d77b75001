/** Counts who has which access: an access that nobody has is no part of the plan. */

import { PersistentMap } from '../../../common/persistent_map.ts';
import type { Access } from './access.ts';
import type { NamedAccess } from './rule_sets.ts';

/** The accesses of one direction's addresses and ranges. */
export class AccessUsers {
  /** By id. */
  readonly #counts = new Map<string, number>();
  /** Those that came or went since `inUse` was last asked; `undefined`: gone. */
  readonly #changed = new Map<string, Access | undefined>();
  #inUse = PersistentMap.from<Access>([]);

  /** One more has this access. @returns its id */
  use({ id, access }: NamedAccess): string {
    const count = this.#counts.get(id) ?? 0;
    this.#counts.set(id, count + 1);
    if (count === 0) this.#changed.set(id, this.#inUse.get(id) ?? access);
    return id;
  }

  /** One of those that have an access has another one now, or none. */
  leave(id: string): void {
    const count = (this.#counts.get(id) ?? 0) - 1;
    if (count > 0) {
      this.#counts.set(id, count);
      return;
    }
    this.#counts.delete(id);
    this.#changed.set(id, undefined);
  }

  /** Those that somebody has, by id; the same map while none has come or gone. */
  inUse(): PersistentMap<Access> {
    this.#inUse = this.#inUse.with(this.#changed);
    this.#changed.clear();
    return this.#inUse;
  }
}
