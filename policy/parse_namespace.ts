/** Reads Namespace objects. Source: core v1 `Namespace`. */

import type { Field } from './field.ts';
import type { Namespace } from './model.ts';
import { NAMESPACE_NAME_LABEL } from './ownership.ts';
import { checkType, readClusterMetadata } from './parse_metadata.ts';
import { type Parsed, parseObject } from './parsed.ts';

function readNamespace(object: Field): Namespace {
  checkType(object, 'v1', 'Namespace');
  const { name, labels } = readClusterMetadata(object, 'Namespace');
  // kubernetes.io/metadata.name: the API server sets it to the name, whatever the object says.
  return { name, labels: { ...labels, [NAMESPACE_NAME_LABEL]: name } };
}

/** Reads a Namespace. */
export function parseNamespace(value: unknown): Parsed<Namespace> {
  return parseObject(value, readNamespace);
}
