/** Objects of other APIs in files: their controllers may make pods that are in no file, and mostly give them the object's own labels. */
import { fieldsOf } from '../../common/shape.ts';
import { type LabelSelector, type Labels, matchesSelector } from '../../policy/index.ts';
import { isKubernetes, type RawObject } from '../../sources/index.ts';

/** The labels of one, and its namespace where it says one. */
interface CustomResource {
  readonly namespace: string | undefined;
  readonly labels: Labels;
}

/** Those with labels. */
export function customResourcesOf(others: readonly RawObject[]): readonly CustomResource[] {
  return others.flatMap(({ apiVersion, raw }) => {
    if (isKubernetes(apiVersion)) return [];
    const { namespace, labels } = fieldsOf(raw.metadata);
    const texts = Object.entries(fieldsOf(labels)).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    if (texts.length === 0) return [];
    return [
      {
        namespace: typeof namespace === 'string' ? namespace : undefined,
        labels: Object.fromEntries(texts),
      },
    ];
  });
}

/** Whether one of these namespaces has, or may have, one that a selector of pods fits. */
export function fitsOne(
  resources: readonly CustomResource[],
  namespaces: readonly string[],
  selector: LabelSelector,
): boolean {
  return resources.some(
    ({ namespace, labels }) =>
      (namespace === undefined || namespaces.includes(namespace)) && matchesSelector(selector, labels),
  );
}
