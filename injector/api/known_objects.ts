/** Which objects a reflector has passed on, by UID: an object that was deleted and created again under the same name is another object. */
import { keyOf, type RawObject } from './raw_object.ts';

/** A change to pass on. A removal names what was there. */
export type ObjectChange<T> =
  | { readonly type: 'put'; readonly key: string; readonly object: T }
  | { readonly type: 'remove'; readonly key: string };

interface Known {
  readonly uid: string;
  readonly version: string;
}

/** Makes of an object what is passed on; the rest of it is let go at once. */
export interface Trimmer<T> {
  trim(object: RawObject): T;
}

export class KnownObjects<T> {
  readonly #trimmer: Trimmer<T>;
  #known = new Map<string, Known>();

  constructor(trimmer: Trimmer<T>) {
    this.#trimmer = trimmer;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Takes in an object's new state. @returns the changes to pass on; none where it is no news */
  put(object: RawObject): ObjectChange<T>[] {
    const key = keyOf(object);
    const before = this.#known.get(key);
    this.#known.set(key, stateOf(object));
    return changesOf(object, before, this.#trimmer);
  }

  /** Takes in an object's end. @returns the change to pass on; none if another object has its name by now */
  remove(object: RawObject): ObjectChange<T>[] {
    const key = keyOf(object);
    if (this.#known.get(key)?.uid !== object.metadata.uid) return [];
    this.#known.delete(key);
    return [{ type: 'remove', key }];
  }

  /** Begins to take in a whole list. */
  beginList(): ListIntake<T> {
    return new ListIntake(this.#known, this.#trimmer, (known) => {
      this.#known = known;
    });
  }
}

/** Takes in a list, object by object; nothing holds until `finish`. */
export class ListIntake<T> {
  readonly #before: ReadonlyMap<string, Known>;
  readonly #trimmer: Trimmer<T>;
  readonly #commit: (known: Map<string, Known>) => void;
  #after = new Map<string, Known>();
  #changes = new Map<string, ObjectChange<T>[]>();

  constructor(
    before: ReadonlyMap<string, Known>,
    trimmer: Trimmer<T>,
    commit: (known: Map<string, Known>) => void,
  ) {
    this.#before = before;
    this.#trimmer = trimmer;
    this.#commit = commit;
  }

  /** One object of the list, or its new state where it has changed since. */
  add(object: RawObject): void {
    const key = keyOf(object);
    this.#after.set(key, stateOf(object));
    const changes = changesOf(object, this.#before.get(key), this.#trimmer);
    if (changes.length > 0) this.#changes.set(key, changes);
    else this.#changes.delete(key);
  }

  /** An object has ended since the list began. */
  remove(object: RawObject): void {
    const key = keyOf(object);
    if (this.#after.get(key)?.uid !== object.metadata.uid) return;
    this.#after.delete(key);
    this.#changes.delete(key);
  }

  /** The list begins again. */
  restart(): void {
    this.#after = new Map();
    this.#changes = new Map();
  }

  /** The list is complete: what leads from the objects before to those of the list. */
  finish(): ObjectChange<T>[] {
    const gone = [...this.#before.keys()].filter((key) => !this.#after.has(key));
    this.#commit(this.#after);
    return [...gone.map((key) => ({ type: 'remove', key }) as const), ...[...this.#changes.values()].flat()];
  }
}

function stateOf({ metadata }: RawObject): Known {
  return { uid: metadata.uid, version: metadata.resourceVersion };
}

/** The changes from the object's state before to its state now: none where they are the same. */
function changesOf<T>(object: RawObject, before: Known | undefined, trimmer: Trimmer<T>): ObjectChange<T>[] {
  const key = keyOf(object);
  const { uid, version } = stateOf(object);
  if (before?.uid === uid && before.version === version) return [];
  const put = { type: 'put', key, object: trimmer.trim(object) } as const;
  return before === undefined || before.uid === uid ? [put] : [{ type: 'remove', key }, put];
}
