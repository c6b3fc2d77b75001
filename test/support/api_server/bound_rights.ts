/** What accounts may do by the roles and bindings that a double has stored, as RBAC decides it. */
import { isRecord, type Json } from './api_object.ts';
import type { ApiServer, ApiServerOptions } from './api_server.ts';
import { type Resource, resourceOfKind } from './resources.ts';

const RBAC = 'rbac.authorization.k8s.io/v1';
const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Who is no service account may do everything. @param api the double, once it runs */
export function boundRights(api: () => ApiServer): NonNullable<ApiServerOptions['authorize']> {
  return ({ username }, verb, { resource, name, namespace }) => {
    const [, home, account] = ACCOUNT.exec(username) ?? [];
    if (account === undefined) return true;
    // The API server takes a Namespace to be in itself.
    const place = namespace ?? (resource.plural === 'namespaces' ? name : undefined);
    const { store } = api().api;
    const isBound = ({ subjects }: Json): boolean =>
      jsons(subjects).some((subject) => subject.namespace === home && subject.name === account);
    const rules = (kind: 'Role' | 'ClusterRole', inside: string | undefined): readonly Json[] =>
      store
        .list(served(`${kind}Binding`), inside)
        .filter(isBound)
        .flatMap(({ roleRef }) =>
          isRecord(roleRef) ? jsons(store.find(served(kind), inside, String(roleRef.name))?.rules) : [],
        );
    const all = [...(place === undefined ? [] : rules('Role', place)), ...rules('ClusterRole', undefined)];
    return all.some(
      ({ apiGroups, resources, verbs }) =>
        has(apiGroups, resource.group) && has(resources, resource.plural) && has(verbs, verb),
    );
  };
}

function jsons(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function has(list: unknown, wanted: string): boolean {
  return Array.isArray(list) && list.includes(wanted);
}

function served(kind: string): Resource {
  const resource = resourceOfKind(RBAC, kind);
  if (resource === undefined) throw new Error(`the double does not serve ${kind}`);
  return resource;
}
