/** The resources that tables are made of, and how an object of each is trimmed to what policy needs. */
import type { ClusterChange } from '../../policy/index.ts';
import {
  type FieldError,
  type Parsed,
  type PolicyLimits,
  parseEndpointSlice,
  parseNamespace,
  parseNetworkPolicy,
  parseNode,
  parsePod,
  parseService,
} from '../../policy/index.ts';
import type { ManifestProblem } from '../../sources/index.ts';
import { keyOf, type RawObject } from '../api/index.ts';
import { type UnenforcedPod, unenforcedPod } from './unenforced_pod.ts';

/** Kinds of objects that are watched. */
export type WatchedKind = ClusterChange['kind'];

/** What is kept of an object: the change that it is, unless it cannot be used, and what is wrong with it. */
export interface TrimmedObject {
  readonly change: ClusterChange | undefined;
  readonly problems: readonly ManifestProblem[];
  readonly metadata: RawObject['metadata'];
  /** Of a pod that no sidecar enforces. */
  readonly unenforced?: UnenforcedPod | undefined;
}

/** One watched resource. */
export interface WatchedResource {
  readonly kind: WatchedKind;
  /** Collection in all namespaces. */
  readonly path: string;
  /** Never throws. */
  trim(object: RawObject): TrimmedObject;
}

/** In the order in which their first changes had best be known: a pod counts once its namespace is there. */
export function watchedResources({
  maxPolicyEntries,
}: Pick<PolicyLimits, 'maxPolicyEntries'>): readonly WatchedResource[] {
  return [
    watched('Namespace', '/api/v1/namespaces', parseNamespace, (key, object) => ({
      kind: 'Namespace',
      key,
      object,
    })),
    watched('Node', '/api/v1/nodes', parseNode, (key, object) => ({ kind: 'Node', key, object })),
    watched(
      'NetworkPolicy',
      '/apis/networking.k8s.io/v1/networkpolicies',
      (value) => parseNetworkPolicy(value, maxPolicyEntries),
      (key, object) => ({ kind: 'NetworkPolicy', key, object }),
    ),
    watched('Pod', '/api/v1/pods', parsePod, (key, object) => ({ kind: 'Pod', key, object })),
    watched('Service', '/api/v1/services', parseService, (key, object) => ({ kind: 'Service', key, object })),
    watched(
      'EndpointSlice',
      '/apis/discovery.k8s.io/v1/endpointslices',
      parseEndpointSlice,
      (key, object) => ({
        kind: 'EndpointSlice',
        key,
        object,
      }),
    ),
  ];
}

/** The change that the end of an object is. */
export function removal(kind: WatchedKind, key: string): ClusterChange {
  return { kind, key, object: undefined };
}

function watched<T>(
  kind: WatchedKind,
  path: string,
  parse: (value: unknown) => Parsed<T>,
  change: (key: string, object: T) => ClusterChange,
): WatchedResource {
  return {
    kind,
    path,
    trim: (raw) => {
      const key = keyOf(raw);
      const name = `${kind} ${key}`;
      const parsed = parse(raw);
      const unenforced = kind === 'Pod' ? unenforcedPod(raw) : undefined;
      if (parsed.ok) {
        const problems = parsed.warnings.map((message) => problemOf(name, message, 'warning'));
        return { change: change(key, parsed.object), problems, metadata: raw.metadata, unenforced };
      }
      const problems = parsed.errors.map((error) => faultOf(name, error));
      // A policy with a mistake isolates what it selects, and its faulty rules admit nothing; anything else stays as it last was.
      return {
        change: parsed.isolating === undefined ? undefined : change(key, parsed.isolating),
        problems,
        metadata: raw.metadata,
        unenforced,
      };
    },
  };
}

/** Where problems of watched objects are, in the place of a file's name. */
const PLACE = 'cluster';

function problemOf(object: string, message: string, severity: 'error' | 'warning'): ManifestProblem {
  return { file: PLACE, document: 0, object, message, severity };
}

function faultOf(object: string, { path, message }: FieldError): ManifestProblem {
  return { ...problemOf(object, message, 'error'), ...(path === '' ? {} : { path }) };
}
