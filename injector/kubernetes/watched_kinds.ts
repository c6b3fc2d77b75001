/** The API's resources that tables are made of, and how an object of each is trimmed to what policy needs. */
import {
  CLUSTER_KINDS,
  type ClusterChange,
  type ClusterKind,
  type FieldError,
  KINDS,
  type KindEntry,
  type PolicyLimits,
} from '../../policy/index.ts';
import type { ManifestProblem } from '../../sources/index.ts';
import { keyOf, type RawObject } from '../api/index.ts';
import type { ChangeOrigin } from '../changes/index.ts';
import { changeOrigin } from './change_origin.ts';
import { type PolicyFacts, policyFacts } from './policy_facts.ts';
import { type UnenforcedPod, unenforcedPod } from './unenforced_pod.ts';

/**
 * What is kept of an object: the change that it is, unless it cannot be used, and what is wrong with it. Nothing in it refers to the
 * object itself, most of which is `managedFields`.
 */
export interface TrimmedObject {
  readonly change: ClusterChange | undefined;
  readonly problems: readonly ManifestProblem[];
  readonly origin: ChangeOrigin;
  /** Of a policy. */
  readonly facts?: PolicyFacts;
  /** Of a pod that no sidecar enforces. */
  readonly unenforced?: UnenforcedPod | undefined;
}

/** One watched resource. */
export class WatchedResource {
  readonly kind: ClusterKind;
  /** Collection in all namespaces. */
  readonly path: string;
  readonly #limits: Pick<PolicyLimits, 'maxPolicyEntries'>;

  constructor(kind: ClusterKind, limits: Pick<PolicyLimits, 'maxPolicyEntries'>) {
    this.kind = kind;
    this.path = collectionPath(KINDS[kind]);
    this.#limits = limits;
  }

  /** What is kept of an object. Never throws. */
  trim(object: RawObject): TrimmedObject {
    return {
      ...readChange(this.kind, object, this.#limits),
      origin: changeOrigin(this.kind, object),
      ...(this.kind === 'NetworkPolicy' ? { facts: policyFacts(object) } : {}),
      ...(this.kind === 'Pod' ? { unenforced: unenforcedPod(object) } : {}),
    };
  }
}

/** All of them, in the order of `KINDS`. */
export function watchedResources(limits: Pick<PolicyLimits, 'maxPolicyEntries'>): readonly WatchedResource[] {
  return CLUSTER_KINDS.map((kind) => new WatchedResource(kind, limits));
}

/** The path of a kind's objects in all namespaces. */
function collectionPath({
  apiVersion,
  plural,
}: Pick<KindEntry<ClusterKind>, 'apiVersion' | 'plural'>): string {
  // Only the core group has no name, and its own root.
  const root = apiVersion.includes('/') ? '/apis' : '/api';
  return `${root}/${apiVersion}/${plural}`;
}

function readChange<Kind extends ClusterKind>(
  kind: Kind,
  raw: RawObject,
  { maxPolicyEntries }: Pick<PolicyLimits, 'maxPolicyEntries'>,
): { change: ClusterChange<Kind> | undefined; problems: readonly ManifestProblem[] } {
  const key = keyOf(raw);
  const name = `${kind} ${key}`;
  const parsed = KINDS[kind].parse(raw, maxPolicyEntries);
  if (parsed.ok) {
    const problems = parsed.warnings.map((message) => problemOf(name, message, 'warning'));
    return { change: { kind, key, object: parsed.object }, problems };
  }
  const problems = parsed.errors.map((error) => faultOf(name, error));
  // A policy with a mistake isolates what it selects, and its faulty rules admit nothing; anything else stays as it last was.
  const { isolating } = parsed;
  return { change: isolating === undefined ? undefined : { kind, key, object: isolating }, problems };
}

/** The change that the end of an object is. */
export function removal<Kind extends ClusterKind>(kind: Kind, key: string): ClusterChange<Kind> {
  return { kind, key, object: undefined };
}

/** Where problems of watched objects are, in the place of a file's name. */
const PLACE = 'cluster';

function problemOf(object: string, message: string, severity: 'error' | 'warning'): ManifestProblem {
  return { file: PLACE, document: 0, object, message, severity };
}

function faultOf(object: string, { path, message }: FieldError): ManifestProblem {
  return { ...problemOf(object, message, 'error'), ...(path === '' ? {} : { path }) };
}
