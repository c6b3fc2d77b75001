/** The kinds of objects that are read from a cluster. */

/** A kind, as the API and its rules of access name it. */
export interface Resource {
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** All of them. Source: Kubernetes API reference. */
export const RESOURCES = {
  namespaces: of('Namespace', '', 'v1', 'namespaces', false),
  nodes: of('Node', '', 'v1', 'nodes', false),
  pods: of('Pod', '', 'v1', 'pods'),
  services: of('Service', '', 'v1', 'services'),
  policies: of('NetworkPolicy', 'networking.k8s.io', 'v1', 'networkpolicies'),
  slices: of('EndpointSlice', 'discovery.k8s.io', 'v1', 'endpointslices'),
  deployments: of('Deployment', 'apps', 'v1', 'deployments'),
  statefulSets: of('StatefulSet', 'apps', 'v1', 'statefulsets'),
  daemonSets: of('DaemonSet', 'apps', 'v1', 'daemonsets'),
  replicaSets: of('ReplicaSet', 'apps', 'v1', 'replicasets'),
  replicationControllers: of('ReplicationController', '', 'v1', 'replicationcontrollers'),
  jobs: of('Job', 'batch', 'v1', 'jobs'),
  cronJobs: of('CronJob', 'batch', 'v1', 'cronjobs'),
  webhooks: ofAdmission('MutatingWebhookConfiguration', 'mutatingwebhookconfigurations'),
  policyBindings: ofAdmission('ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings'),
} as const satisfies Record<string, Resource>;

function of(kind: string, group: string, version: string, plural: string, namespaced = true): Resource {
  return { kind, group, version, plural, namespaced };
}

function ofAdmission(kind: string, plural: string): Resource {
  return of(kind, 'admissionregistration.k8s.io', 'v1', plural, false);
}

/** `networkpolicies.networking.k8s.io`, as `kubectl auth can-i` takes it. */
export function resourceName({ plural, group }: Resource): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** The path of its list, or of one object. @param namespace absent: of all */
export function pathOf({ group, version, plural }: Resource, namespace?: string, name?: string): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${within}/${plural}${name === undefined ? '' : `/${encodeURIComponent(name)}`}`;
}

/** `networking.k8s.io/v1`. */
export function apiVersionOf({ group, version }: Resource): string {
  return group === '' ? version : `${group}/${version}`;
}
