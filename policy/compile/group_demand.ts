/** What selectors demand and what a pod offers: spares asking most of many groups about a pod. */

import type { LabelSelector, Labels } from '../model.ts';
import type { PodsPeer } from '../rules/index.ts';
import { NAMESPACE_NAME_LABEL } from '../rules/index.ts';
import type { PodIdentity } from '../table/index.ts';

/** The selectors of a group. */
type Selectors = Omit<PodsPeer, 'kind'>;

/** Where a selector demands no single value, as with most expressions. */
const NOTHING = '';

/** Labels that all objects have which a selector matches. `In` with one value says the same as `matchLabels`. */
function demanded({ matchLabels, matchExpressions }: LabelSelector): [string, string][] {
  const listed = matchExpressions.flatMap(({ key, operator, values }): [string, string][] => {
    const [value, another] = values;
    return operator === 'In' && value !== undefined && another === undefined ? [[key, value]] : [];
  });
  return [...Object.entries(matchLabels), ...listed];
}

/** One thing that the namespaces of all members have: their name, or else a label. */
function ofNamespace({ namespace, namespaceSelector }: Selectors): string {
  if (namespaceSelector === undefined) return namespace === undefined ? NOTHING : named(namespace);
  const labels = demanded(namespaceSelector);
  const name = labels.find(([key]) => key === NAMESPACE_NAME_LABEL);
  if (name !== undefined) return named(name[1]);
  const [label] = labels;
  return label === undefined ? NOTHING : labelled(label);
}

/** One label that all members have. */
function ofPod({ podSelector }: Selectors): string {
  const [label] = podSelector === undefined ? [] : demanded(podSelector);
  return label === undefined ? NOTHING : labelled(label);
}

function named(namespace: string): string {
  return `namespace ${namespace}`;
}

function labelled([key, value]: readonly [string, string]): string {
  return `${key}=${value}`;
}

/**
 * Groups, or what belongs to them, by what their selectors demand: of the namespace first, and then of the pod. So groups that
 * ask for the same label in many namespaces are told apart. It never misses a group that a pod is in. It may find others.
 */
export class DemandIndex<T> {
  readonly #items = new Map<string, Map<string, Set<T>>>();

  add(selectors: Selectors, item: T): void {
    const [namespace, pod] = [ofNamespace(selectors), ofPod(selectors)];
    const byPod = this.#items.get(namespace) ?? new Map<string, Set<T>>();
    this.#items.set(namespace, byPod);
    byPod.set(pod, (byPod.get(pod) ?? new Set<T>()).add(item));
  }

  delete(selectors: Selectors, item: T): void {
    const [namespace, pod] = [ofNamespace(selectors), ofPod(selectors)];
    const byPod = this.#items.get(namespace);
    const items = byPod?.get(pod);
    if (byPod === undefined || !items?.delete(item) || items.size > 0) return;
    byPod.delete(pod);
    if (byPod.size === 0) this.#items.delete(namespace);
  }

  /**
   * Those that a pod may be in, each once. The cost grows with what is demanded of its namespace and with its labels, or with
   * what is demanded of pods there, and with no more than the smaller of the two.
   */
  find({ namespace, labels }: Pick<PodIdentity, 'namespace' | 'labels'>, namespaceLabels: Labels): T[] {
    const found: T[] = [];
    const offered = new Set([NOTHING, ...Object.entries(labels).map(labelled)]);
    for (const byPod of this.#inNamespace(namespace, namespaceLabels)) {
      for (const demand of byPod.size < offered.size ? byPod.keys() : offered) {
        const items = offered.has(demand) ? byPod.get(demand) : undefined;
        if (items !== undefined) for (const item of items) found.push(item);
      }
    }
    return found;
  }

  /** Those that any pod of a namespace with these labels may be in, each once. */
  findInNamespace(namespace: string, namespaceLabels: Labels): T[] {
    const found: T[] = [];
    for (const byPod of this.#inNamespace(namespace, namespaceLabels))
      for (const items of byPod.values()) for (const item of items) found.push(item);
    return found;
  }

  #inNamespace(namespace: string, labels: Labels): Map<string, Set<T>>[] {
    const offered = [NOTHING, named(namespace), ...Object.entries(labels).map(labelled)];
    return offered.flatMap((demand) => this.#items.get(demand) ?? []);
  }
}
