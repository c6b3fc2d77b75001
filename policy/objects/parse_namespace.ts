/** Reads Namespace objects. Source: core v1 `Namespace`. */

import { ANNOTATION_PREFIX } from '../../common/contract.ts';
import type { Namespace } from '../model.ts';
import { NAMESPACE_NAME_LABEL } from '../rules/index.ts';
import type { Field } from './field.ts';
import { checkType, readClusterMetadata } from './parse_metadata.ts';
import { type Parsed, parseObject } from './parsed.ts';

function readNamespace(object: Field): Namespace {
  checkType(object, 'v1', 'Namespace');
  const { name, labels } = readClusterMetadata(object, 'Namespace');
  // kubernetes.io/metadata.name: the API server sets it to the name, no matter what the object says.
  const annotations = ownAnnotations(object);
  return {
    name,
    labels: { ...labels, [NAMESPACE_NAME_LABEL]: name },
    ...(annotations.length === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  };
}

function ownAnnotations(object: Field): readonly (readonly [string, string])[] {
  return object
    .child('metadata')
    .child('annotations')
    .textMap()
    .flatMap(([, key, value]) => (key.startsWith(ANNOTATION_PREFIX) ? [[key, value] as const] : []));
}

/** Reads a Namespace. */
export function parseNamespace(value: unknown): Parsed<Namespace> {
  return parseObject(value, readNamespace);
}
