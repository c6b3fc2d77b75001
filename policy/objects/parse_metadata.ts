/** `metadata`, `apiVersion` and `kind` of API objects. Source: `metav1.ObjectMeta`. */

import type { Labels } from '../model.ts';
import type { Field } from './field.ts';
import { dnsLabelProblems, dnsSubdomainProblems, labelKeyProblems, labelValueProblems } from './syntax.ts';

/** The namespace of an object without `metadata.namespace`; kubectl's default. */
export const DEFAULT_NAMESPACE = 'default';

/** What is read of `metadata`. A name that is not valid is empty. */
interface Metadata {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly labels: Labels;
  readonly createdAt?: string;
  /** `deletionTimestamp` is set. */
  readonly terminating?: true;
}

/** RFC 3339, as `metav1.Time` is written. */
export const TIMESTAMP = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** Checks the object's type where it says one. Absent is fine: the caller chose the reader. */
export function checkType(object: Field, apiVersion: string, kind: string): void {
  object.child('apiVersion').word([apiVersion]);
  object.child('kind').word([kind]);
}

/** Reads labels, of an object or of `matchLabels`. Keys and values must be label syntax. */
export function readLabels(field: Field): Labels {
  const labels: [string, string][] = [];
  for (const [entry, key, value] of field.textMap()) {
    field.malformedAll(labelKeyProblems(key).map((problem) => `${JSON.stringify(key)}: ${problem}`));
    entry.malformedAll(labelValueProblems(value));
    labels.push([key, value]);
  }
  return Object.fromEntries(labels);
}

function readName(field: Field, problems: (text: string) => string[]): string {
  const name = field.filledText();
  // metadata.name: every stored object has one.
  if (name === undefined && (field.isAbsent || field.value === '')) field.required('name is required');
  if (name !== undefined) field.invalidAll(problems(name));
  return name ?? '';
}

function readTimestamp(field: Field): string | undefined {
  const text = field.filledText();
  if (text === undefined || TIMESTAMP.test(text)) return text;
  field.invalid('must be an RFC 3339 time such as 2024-05-01T12:00:00Z');
  return undefined;
}

function readMetadata(object: Field, nameProblems: (text: string) => string[]): Omit<Metadata, 'namespace'> {
  const metadata = object.child('metadata');
  metadata.object();
  const uid = metadata.child('uid').filledText();
  const createdAt = readTimestamp(metadata.child('creationTimestamp'));
  return {
    name: readName(metadata.child('name'), nameProblems),
    labels: readLabels(metadata.child('labels')),
    ...(uid === undefined ? {} : { uid }),
    ...(createdAt === undefined ? {} : { createdAt }),
    ...(metadata.child('deletionTimestamp').isAbsent ? {} : { terminating: true }),
  };
}

/** Reads the metadata of an object that lives in a namespace; its name is a DNS subdomain. */
export function readNamespacedMetadata(object: Field): Metadata {
  const field = object.child('metadata').child('namespace');
  const namespace = field.filledText() ?? DEFAULT_NAMESPACE;
  field.invalidAll(dnsLabelProblems(namespace));
  return { ...readMetadata(object, dnsSubdomainProblems), namespace };
}

/** Reads the metadata of a Namespace, whose name is a DNS label, or of a Node, whose name is a DNS subdomain. */
export function readClusterMetadata(object: Field, kind: 'Namespace' | 'Node'): Omit<Metadata, 'namespace'> {
  return readMetadata(object, kind === 'Namespace' ? dnsLabelProblems : dnsSubdomainProblems);
}
