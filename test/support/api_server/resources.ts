/** The resources that the API-server double serves: their place in the API, their kind, and their published type. */

/** One resource of the API. */
export interface Resource {
  /** Empty: the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Name of the published type in @kubernetes/client-node. */
  readonly model: string;
  /** Whether `status` can only be written through the subresource of that name. */
  readonly statusSubresource?: boolean;
}

/** Kinds of requests that are answered and never stored. */
export const TOKEN_REVIEW: Resource = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  namespaced: false,
  model: 'V1TokenReview',
};

export const SELF_REVIEW: Resource = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'selfsubjectreviews',
  kind: 'SelfSubjectReview',
  namespaced: false,
  model: 'V1SelfSubjectReview',
};
export const ACCESS_REVIEW: Resource = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'subjectaccessreviews',
  kind: 'SubjectAccessReview',
  namespaced: false,
  model: 'V1SubjectAccessReview',
};

/** All of them. */
export const REVIEWS: readonly Resource[] = [TOKEN_REVIEW, SELF_REVIEW, ACCESS_REVIEW];

/** Everything that is stored. */
export const RESOURCES: readonly Resource[] = [
  core('namespaces', 'Namespace', { namespaced: false, statusSubresource: true }),
  core('nodes', 'Node', { namespaced: false, statusSubresource: true }),
  core('pods', 'Pod', { statusSubresource: true }),
  core('services', 'Service', { statusSubresource: true }),
  core('configmaps', 'ConfigMap'),
  core('secrets', 'Secret'),
  core('serviceaccounts', 'ServiceAccount'),
  core('events', 'Event', { model: 'CoreV1Event' }),
  named('events.k8s.io', 'events', 'Event', { model: 'EventsV1Event' }),
  named('discovery.k8s.io', 'endpointslices', 'EndpointSlice'),
  named('networking.k8s.io', 'networkpolicies', 'NetworkPolicy'),
  named('coordination.k8s.io', 'leases', 'Lease'),
  named('apps', 'deployments', 'Deployment', { statusSubresource: true }),
  named('apps', 'statefulsets', 'StatefulSet', { statusSubresource: true }),
  named('apps', 'daemonsets', 'DaemonSet', { statusSubresource: true }),
  named('apps', 'replicasets', 'ReplicaSet', { statusSubresource: true }),
  core('replicationcontrollers', 'ReplicationController', { statusSubresource: true }),
  named('batch', 'jobs', 'Job', { statusSubresource: true }),
  named('batch', 'cronjobs', 'CronJob', { statusSubresource: true }),
  named('policy', 'poddisruptionbudgets', 'PodDisruptionBudget', { statusSubresource: true }),
  named('rbac.authorization.k8s.io', 'clusterroles', 'ClusterRole', { namespaced: false }),
  named('rbac.authorization.k8s.io', 'clusterrolebindings', 'ClusterRoleBinding', { namespaced: false }),
  named('rbac.authorization.k8s.io', 'roles', 'Role'),
  named('rbac.authorization.k8s.io', 'rolebindings', 'RoleBinding'),
  admission('mutatingwebhookconfigurations', 'MutatingWebhookConfiguration'),
  admission('validatingwebhookconfigurations', 'ValidatingWebhookConfiguration'),
  admission('validatingadmissionpolicies', 'ValidatingAdmissionPolicy'),
  admission('validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding'),
];

/** `v1`, `networking.k8s.io/v1`. */
export function apiVersionOf({ group, version }: Resource): string {
  return group === '' ? version : `${group}/${version}`;
}

/** The path of the resource's collection, of one namespace where it has namespaces. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === '' ? '/api' : '/apis';
  const inside = resource.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : '';
  return `${root}/${apiVersionOf(resource)}${inside}/${resource.plural}`;
}

/** The resource of an object's `apiVersion` and `kind`; undefined where it is not served. */
export function resourceOfKind(apiVersion: string, kind: string): Resource | undefined {
  return RESOURCES.find((resource) => resource.kind === kind && apiVersionOf(resource) === apiVersion);
}

type Options = Partial<Pick<Resource, 'namespaced' | 'statusSubresource' | 'model'>>;

function core(plural: string, kind: string, options: Options = {}): Resource {
  return { group: '', version: 'v1', plural, kind, namespaced: true, model: `V1${kind}`, ...options };
}

function named(group: string, plural: string, kind: string, options: Options = {}): Resource {
  return { ...core(plural, kind, options), group };
}

function admission(plural: string, kind: string): Resource {
  return named('admissionregistration.k8s.io', plural, kind, { namespaced: false });
}
