/** Finds subjects by selector through their labels, so that a thousand policies do not go through ten thousand pods each. */
import { formatSelector, type LabelSelector, matchesSelector, requirementsOf } from '../../policy/index.ts';
import type { Subject } from './subject.ts';

/** The subjects of one namespace. */
export class SubjectIndex {
  readonly all: readonly Subject[];
  readonly #byLabel = new Map<string, Subject[]>();
  readonly #found = new Map<string, readonly Subject[]>();

  constructor(subjects: readonly Subject[]) {
    this.all = subjects;
    for (const subject of subjects)
      for (const [key, value] of Object.entries(subject.pod.labels)) {
        const list = this.#byLabel.get(labelText(key, value));
        if (list === undefined) this.#byLabel.set(labelText(key, value), [subject]);
        else list.push(subject);
      }
  }

  /** Those whose labels match; absent: all. The selector's meaning is the engine's. */
  select(selector: LabelSelector | undefined): readonly Subject[] {
    if (selector === undefined) return this.all;
    const text = formatSelector(selector);
    const known = this.#found.get(text);
    if (known !== undefined) return known;
    const found = this.#candidates(selector).filter(({ pod }) => matchesSelector(selector, pod.labels));
    this.#found.set(text, found);
    return found;
  }

  /** How many have a label with this value. */
  count(key: string, value: string): number {
    return this.#byLabel.get(labelText(key, value))?.length ?? 0;
  }

  /** The fewest that one of the requirements leaves. */
  #candidates(selector: LabelSelector): readonly Subject[] {
    let fewest = this.all;
    for (const requirement of requirementsOf(selector)) {
      const { operator, key } = requirement;
      if (operator !== 'Equals' && operator !== 'In') continue;
      const values = operator === 'Equals' ? [requirement.value] : [...new Set(requirement.values)];
      const count = values.reduce((sum, value) => sum + this.count(key, value), 0);
      if (count < fewest.length)
        fewest = values.flatMap((value) => this.#byLabel.get(labelText(key, value)) ?? []);
    }
    return fewest;
  }
}

function labelText(key: string, value: string): string {
  return `${key}=${value}`;
}
