/** An object that tables are made of, read from a document. */
import { type ClusterKind, clusterKey, KINDS, type ObjectOf, type Parsed } from '../../policy/index.ts';
import type { DocumentObject, RawManifest } from './document_content.ts';

/** An object as far as it holds, and what its parser found. */
export interface ClusterObject<Kind extends ClusterKind> {
  readonly parsed: Parsed<ObjectOf<Kind>>;
  /** Undefined: nothing of it holds. A policy with a fault isolates what it selects. */
  readonly object: DocumentObject<Kind> | undefined;
}

/** Reads an object of a kind. Never throws. */
export function readClusterObject<Kind extends ClusterKind>(
  kind: Kind,
  raw: RawManifest,
): ClusterObject<Kind> {
  const { parse, withoutRules } = KINDS[kind];
  const parsed = parse(raw);
  if (!parsed.ok) {
    const { isolating } = parsed;
    return { parsed, object: isolating && documentObject(kind, isolating, raw, true) };
  }
  // Without a version it is not known what the rules of a policy mean.
  const isUnclear = withoutRules !== undefined && typeof raw.apiVersion !== 'string';
  const object = isUnclear ? withoutRules(parsed.object) : parsed.object;
  return { parsed, object: documentObject(kind, object, raw, isUnclear) };
}

/** An object with its key. @param isolating see `DocumentObject` */
export function documentObject<Kind extends ClusterKind>(
  kind: Kind,
  object: ObjectOf<Kind>,
  raw: RawManifest,
  isolating: boolean,
): DocumentObject<Kind> {
  return { kind, key: clusterKey(object), object, raw, isolating };
}
