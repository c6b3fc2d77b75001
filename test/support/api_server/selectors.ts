/** `labelSelector` and `fieldSelector` of a query: as much of their syntax as is asked for here; the rest is refused. */
import { badRequest } from './api_error.ts';
import { type ApiObject, isRecord, type Json } from './api_object.ts';

/** Whether an object is wanted. */
export type Selector = (object: ApiObject) => boolean;

/** @throws ApiError 400 for syntax it does not know */
export function readSelectors(query: URLSearchParams): Selector {
  const tests = [
    ...split(query.get('labelSelector')).map(labelTest),
    ...split(query.get('fieldSelector')).map(fieldTest),
  ];
  return (object) => tests.every((test) => test(object));
}

/** `metav1.LabelSelector`, as webhooks have it. */
export function matchesLabels(selector: unknown, labels: Readonly<Record<string, string>>): boolean {
  if (!isRecord(selector)) return true;
  const { matchLabels = {}, matchExpressions = [] } = selector;
  const wanted = Object.entries(matchLabels as Json);
  return (
    wanted.every(([key, value]) => labels[key] === value) &&
    (matchExpressions as readonly Json[]).every((requirement) => matchesRequirement(requirement, labels))
  );
}

function matchesRequirement(
  { key, operator, values = [] }: Json,
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = labels[String(key)];
  const listed = value !== undefined && (values as readonly string[]).includes(value);
  switch (operator) {
    case 'In':
      return listed;
    case 'NotIn':
      return !listed;
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      throw badRequest(`'${operator}' is not a valid label selector operator`);
  }
}

function split(text: string | null): string[] {
  return text === null || text === '' ? [] : text.split(',');
}

function labelTest(term: string): Selector {
  const { key, negated, value } = parse(term);
  if (value !== undefined) return (object) => (object.metadata.labels?.[key] === value) !== negated;
  return (object) => (object.metadata.labels?.[key] !== undefined) !== negated;
}

function fieldTest(term: string): Selector {
  const { key, negated, value } = parse(term);
  if (value === undefined) throw badRequest(`invalid field selector '${term}'`);
  const path = key.split('.');
  return (object) => (textAt(object, path) === value) !== negated;
}

function parse(term: string): { key: string; negated: boolean; value: string | undefined } {
  const match = /^(!)?([\w./-]+?)(?:(!)?==?([\w.:/-]*))?$/.exec(term);
  if (match === null) throw badRequest(`the double does not know the selector '${term}'`);
  const [, not, key = '', unequal, value] = match;
  return { key, negated: not !== undefined || unequal !== undefined, value };
}

function textAt(object: unknown, path: readonly string[]): string {
  let value = object;
  for (const part of path) value = isRecord(value) ? value[part] : undefined;
  return value === undefined ? '' : String(value);
}
