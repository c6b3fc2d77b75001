/**
 * The one list of the kinds of objects that a cluster is made of. All that handles objects kind by kind goes by it: the watch
 * of the API server, the reading of manifests, a cluster that changes. To add a kind: write its type and its part of
 * `ClusterObjects` (model.ts), its parser (objects/), its entry here, and what the compiler does with a change of it
 * (compile/); TypeScript says which of them is missing. The rights to watch it stand in manifests/, which a test compares.
 */

import { objectKey } from './key.ts';
import type { ClusterObjects } from './model.ts';
import {
  type Parsed,
  parseEndpointSlice,
  parseNamespace,
  parseNetworkPolicy,
  parseNode,
  parsePod,
  parseService,
  withoutRules,
} from './objects/index.ts';

/** How the objects of one part of a cluster are found and read. */
interface PartEntry<Part extends keyof ClusterObjects> {
  /** Its group and version, as in `apiVersion`. */
  readonly apiVersion: string;
  /** Its name in the API's paths and in RBAC rules. */
  readonly plural: string;
  /** Whether its objects are in namespaces: they are keyed `namespace/name` then, else by name. */
  readonly namespaced: boolean;
  /** Where a cluster has its objects. */
  readonly part: Part;
  /** @param maxPolicyEntries a policy with more entries is refused; see `PolicyLimits` */
  parse(value: unknown, maxPolicyEntries?: number): Parsed<ClusterObjects[Part]>;
  /** Only of policies: what stays of one whose rules cannot be known. It isolates what it selects and admits nothing. */
  readonly withoutRules: ((policy: ClusterObjects[Part]) => ClusterObjects[Part]) | undefined;
}

type AnyEntry = { readonly [Part in keyof ClusterObjects]: PartEntry<Part> }[keyof ClusterObjects];

/** In the order in which their first changes had best be known: a pod counts once its namespace is there. */
const ENTRIES = {
  Namespace: {
    apiVersion: 'v1',
    plural: 'namespaces',
    namespaced: false,
    part: 'namespaces',
    parse: parseNamespace,
    withoutRules: undefined,
  },
  Node: {
    apiVersion: 'v1',
    plural: 'nodes',
    namespaced: false,
    part: 'nodes',
    parse: parseNode,
    withoutRules: undefined,
  },
  NetworkPolicy: {
    apiVersion: 'networking.k8s.io/v1',
    plural: 'networkpolicies',
    namespaced: true,
    part: 'policies',
    parse: parseNetworkPolicy,
    withoutRules,
  },
  Pod: {
    apiVersion: 'v1',
    plural: 'pods',
    namespaced: true,
    part: 'pods',
    parse: parsePod,
    withoutRules: undefined,
  },
  Service: {
    apiVersion: 'v1',
    plural: 'services',
    namespaced: true,
    part: 'services',
    parse: parseService,
    withoutRules: undefined,
  },
  EndpointSlice: {
    apiVersion: 'discovery.k8s.io/v1',
    plural: 'endpointslices',
    namespaced: true,
    part: 'endpointSlices',
    parse: parseEndpointSlice,
    withoutRules: undefined,
  },
} as const satisfies Readonly<Record<string, AnyEntry>>;

/** A kind of object that a cluster is made of. */
export type ClusterKind = keyof typeof ENTRIES;

/** The part of a cluster that holds the objects of a kind. */
type PartOf<Kind extends ClusterKind> = (typeof ENTRIES)[Kind]['part'];

/** What an object of a kind is read into. */
export type ObjectOf<Kind extends ClusterKind> = ClusterObjects[PartOf<Kind>];

/** How objects of a kind are found and read. */
export type KindEntry<Kind extends ClusterKind> = PartEntry<PartOf<Kind>>;

/** `T` when each part of a cluster has a kind; else `never`, so that `KINDS` does not compile. */
type IfComplete<T> = keyof ClusterObjects extends PartOf<ClusterKind> ? T : never;

/** Every kind's entry. */
export const KINDS: IfComplete<{ readonly [Kind in ClusterKind]: KindEntry<Kind> }> = ENTRIES;

/** All kinds, in the order of their entries. */
export const CLUSTER_KINDS: readonly ClusterKind[] = Object.keys(ENTRIES).filter(isClusterKind);

/** Whether objects of this `kind` are part of a cluster. */
export function isClusterKind(kind: string): kind is ClusterKind {
  return Object.hasOwn(ENTRIES, kind);
}

/** An object's key among those of its kind: `namespace/name`, or the name of what is in no namespace. */
export function clusterKey({
  namespace,
  name,
}: {
  readonly namespace?: string;
  readonly name: string;
}): string {
  return namespace === undefined ? name : objectKey(namespace, name);
}
