/** Pods that a selector would mean in other namespaces than those it is looked for in. */
import { unreachable } from '../../common/errors.ts';
import { isEmptySelector, type LabelSelector, type Requirement } from '../../policy/index.ts';
import { counted, listed, type Model, type Subject } from '../model/index.ts';

/** Where pods were looked for. */
export interface Searched {
  readonly model: Model;
  readonly namespaces: readonly string[];
}

/** What is elsewhere. */
export interface Elsewhere {
  /** `backend has deploy/notifications`. */
  readonly text: string;
  /** The one namespace that has pods with all that the selector asks for. */
  readonly namespace?: string;
}

/** Pods and namespaces that are named. */
const MOST_NAMED = 2;

/**
 * Pods elsewhere that have what no pod of the namespaces has.
 * @param unmet what is to blame; undefined: all of it together
 */
export function elsewhere(
  { model, namespaces }: Searched,
  selector: LabelSelector,
  unmet: Requirement | undefined,
): Elsewhere | undefined {
  if (isEmptySelector(selector)) return undefined;
  const own = new Set(namespaces);
  const others = (one: LabelSelector) =>
    model.everywhere.select(one).filter(({ pod }) => !pod.hostNetwork && !own.has(pod.namespace));
  const all = others(selector);
  const found = all.length > 0 || unmet === undefined ? all : others(selectorOf(unmet));
  if (found.length === 0) return undefined;
  const byNamespace = [...Map.groupBy(found, ({ pod }) => pod.namespace)].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  const left = byNamespace.length - MOST_NAMED;
  const named = byNamespace
    .slice(0, MOST_NAMED)
    .map(([name, subjects]) => `${name} has ${namesOf(subjects)}`);
  const more = left > 0 ? [`and ${counted(left, 'namespace')} more`] : [];
  const [only, ...rest] = byNamespace;
  return {
    text: [...named, ...more].join(', '),
    ...(all.length === 0 || only === undefined || rest.length > 0 ? {} : { namespace: only[0] }),
  };
}

function namesOf(subjects: readonly Subject[]): string {
  return listed(
    subjects.map(({ name }) => name),
    MOST_NAMED,
  );
}

function selectorOf(requirement: Requirement): LabelSelector {
  const { operator, key } = requirement;
  switch (operator) {
    case 'Equals':
      return { matchLabels: { [key]: requirement.value }, matchExpressions: [] };
    case 'In':
    case 'NotIn':
      return { matchLabels: {}, matchExpressions: [{ key, operator, values: requirement.values }] };
    case 'Exists':
    case 'DoesNotExist':
      return { matchLabels: {}, matchExpressions: [{ key, operator, values: [] }] };
    default:
      return unreachable(requirement);
  }
}
