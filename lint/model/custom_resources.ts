/** Objects of other APIs in files: their controllers may make pods that are in no file, and mostly give them the object's own labels. */
import { fieldsOf } from '../../common/shape.ts';
import { type LabelSelector, type Labels, matchesSelector } from '../../policy/index.ts';
import { isKubernetes, type RawObject } from '../../sources/index.ts';

/** Different sets of labels of one namespace's custom resources that are looked at. Where there are more, any selector may fit one. */
export const MAX_LABEL_SETS = 256;

/** The labels of custom resources, each set of a namespace once. */
export class CustomResources {
  /** By namespace; by `undefined` those that say none, and so may be in any. By their text. */
  readonly #sets = new Map<string | undefined, Map<string, Labels>>();

  /** @param others objects that are neither policies nor what policies select */
  constructor(others: readonly RawObject[]) {
    for (const { apiVersion, raw } of others) {
      if (isKubernetes(apiVersion)) continue;
      const { namespace, labels } = fieldsOf(raw.metadata);
      const texts = Object.entries(fieldsOf(labels))
        .filter((entry): entry is [string, string] => typeof entry[1] === 'string')
        .sort(([a], [b]) => (a < b ? -1 : 1));
      if (texts.length > 0) this.#add(typeof namespace === 'string' ? namespace : undefined, texts);
    }
  }

  #add(namespace: string | undefined, texts: readonly (readonly [string, string])[]): void {
    const sets = this.#sets.get(namespace) ?? new Map<string, Labels>();
    this.#sets.set(namespace, sets);
    // One more than are looked at says that there are more.
    if (sets.size <= MAX_LABEL_SETS) sets.set(JSON.stringify(texts), Object.fromEntries(texts));
  }

  /** Whether one of these namespaces has, or may have, one that a selector of pods fits. */
  mayFit(namespaces: readonly string[], selector: LabelSelector): boolean {
    return [undefined, ...namespaces].some((namespace) => {
      const sets = this.#sets.get(namespace);
      if (sets === undefined) return false;
      return (
        sets.size > MAX_LABEL_SETS || [...sets.values()].some((labels) => matchesSelector(selector, labels))
      );
    });
  }
}
