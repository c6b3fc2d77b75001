/** Kinds of objects in files that are no part of a cluster here, and what to say of them. */
import { basename } from 'node:path';

/** Policies that other enforcers know, besides all kinds that end in NetworkPolicy. */
const OTHER_POLICY_KINDS = new Set([
  'AuthorizationPolicy', // security.istio.io, policy.linkerd.io
  'EgressFirewall', // k8s.ovn.org
  'MeshTrafficPermission', // kuma.io
  'SecurityGroupPolicy', // vpcresources.k8s.aws
  'ServerAuthorization', // policy.linkerd.io
  'ServiceIntentions', // consul.hashicorp.com
]);

/** Whether objects of a kind say who may talk to whom, in any API: ours has the one kind NetworkPolicy. */
export function isPolicyOfSomeApi(kind: string): boolean {
  return /NetworkPolicy$/i.test(kind) || OTHER_POLICY_KINDS.has(kind);
}

/** Other kinds of the policy API's group: anything else there is taken for a misspelt policy. */
const OTHER_NETWORKING_KINDS = new Set(['Ingress', 'IngressClass', 'IPAddress', 'ServiceCIDR']);

/** Whether a kind of the policy API's group is a misspelt NetworkPolicy: it is none of the group's other kinds. */
export function isMisspeltPolicy(kind: string): boolean {
  return !OTHER_NETWORKING_KINDS.has(kind);
}

/**
 * Whether a group is Kubernetes' own, or a misspelt one of it: the core group and the early ones (`extensions`) have no
 * dot, which the group of a custom resource must have, and `*.k8s.io` is reserved. Only another API, such as
 * `crd.projectcalico.org/v3`, may have a NetworkPolicy that means something else.
 */
export function isKubernetes(apiVersion: string): boolean {
  const [group = ''] = apiVersion.split('/');
  return !group.includes('.') || group.endsWith('k8s.io') || group.startsWith('networking.');
}

/** What makes manifests of a file, and how it is asked for them. */
const RENDERERS = {
  kustomize: 'is for kustomize: pass what it makes, `kubectl kustomize DIR | sluice … -f -`',
  helm: 'is part of a Helm chart: pass what it makes, `helm template CHART | sluice … -f -`',
  openshift: 'is an OpenShift Template: pass what it makes, `oc process --local -f FILE | sluice … -f -`',
} as const;

/** A Template's hint. */
export const TEMPLATE_HINT = RENDERERS.openshift;

/** The hint for a document without `kind`, by its file's name and its fields; undefined where it may be an object after all. */
export function hintWithoutKind(
  file: string,
  document: Readonly<Record<string, unknown>>,
): string | undefined {
  const name = basename(file);
  if (/^kustomization\.ya?ml$/i.test(name)) return RENDERERS.kustomize;
  if (/^(?:Chart|values.*)\.ya?ml$|^values.*\.json$/i.test(name)) return RENDERERS.helm;
  const isObject = ['apiVersion', 'metadata', 'spec'].some((field) => document[field] !== undefined);
  return isObject ? undefined : 'has neither apiVersion nor kind: it is no Kubernetes object';
}

/** The hint for a document that is a list; undefined where objects may be in it, which kubectl does not take so. */
export function hintOfList(items: readonly unknown[]): string | undefined {
  const isObject = (item: unknown) => typeof item === 'object' && item !== null && 'kind' in item;
  return items.some(isObject)
    ? undefined
    : "is a list without Kubernetes objects: kustomize's patches and the like have their effect in what it makes";
}

/** The hint for an object that configures kustomize. */
export function kustomizeHint(apiVersion: string): string | undefined {
  return apiVersion.startsWith('kustomize.config.k8s.io/') ? RENDERERS.kustomize : undefined;
}

/** What to add to a syntax error of a chart's template. */
export function hintOfTemplate(text: string): string {
  return text.includes('{{') ? `; with {{ }} it ${RENDERERS.helm}` : '';
}
