/** A request that admission looks at: what it is, and what rules and selectors say of it. */
import { randomUUID } from 'node:crypto';
import type { ApiObject, Json } from './api_object.ts';
import type { Resource } from './resources.ts';
import { matchesLabels } from './selectors.ts';
import type { UserInfo } from './tokens.ts';

/** A request that may change something. */
export interface AdmissionRequest {
  readonly resource: Resource;
  readonly subresource?: string;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly namespace: string | undefined;
  readonly name: string;
  readonly object: ApiObject | null;
  readonly oldObject: ApiObject | null;
  readonly user: UserInfo;
  readonly dryRun: boolean;
}

/** Whether a `RuleWithOperations` covers the request. */
export function ruleMatches(rule: Json, request: AdmissionRequest): boolean {
  const { group, version, plural, namespaced } = request.resource;
  const place = request.subresource === undefined ? plural : `${plural}/${request.subresource}`;
  const lists = (name: string, value: string): boolean => {
    const listed = rule[name];
    return Array.isArray(listed) && (listed.includes('*') || listed.includes(value));
  };
  const scope = rule.scope ?? '*';
  return (
    lists('operations', request.operation) &&
    lists('apiGroups', group) &&
    lists('apiVersions', version) &&
    (lists('resources', place) || lists('resources', '*/*')) &&
    (scope === '*' || (scope === 'Namespaced') === namespaced)
  );
}

/** `namespaceSelector` and `objectSelector`. */
export function selectorsMatch(
  owner: Json,
  request: AdmissionRequest,
  namespace: ApiObject | undefined,
): boolean {
  const labels = namespace?.metadata.labels ?? {};
  const own = (request.object ?? request.oldObject)?.metadata?.labels ?? {}; // options of CONNECT have none
  return matchesLabels(owner.namespaceSelector, labels) && matchesLabels(owner.objectSelector, own);
}

/** The variables `object` and `oldObject` of CEL. */
export function objectsOf({ object, oldObject }: AdmissionRequest): Json {
  return { object, oldObject };
}

const OPTIONS = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions' };

/** `AdmissionReview.request`. */
export function describeRequest(request: AdmissionRequest): Json {
  const { resource, operation, namespace, name, object, oldObject, user, dryRun, subresource } = request;
  const { group, version, plural, kind } = resource;
  const type = { group, version, kind };
  const place = { group, version, resource: plural };
  return {
    uid: randomUUID(),
    kind: type,
    resource: place,
    requestKind: type,
    requestResource: place,
    ...(subresource === undefined ? {} : { subResource: subresource, requestSubResource: subresource }),
    ...(name === '' ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    operation,
    userInfo: user,
    object,
    oldObject,
    dryRun,
    ...(operation === 'CONNECT'
      ? {}
      : { options: { kind: OPTIONS[operation], apiVersion: 'meta.k8s.io/v1' } }),
  };
}
