/** What users may do by the roles and bindings that a double has stored, as RBAC decides it; without aggregation. */
import { isRecord, type Json } from './api_object.ts';
import { type Resource, resourceOfKind } from './resources.ts';
import type { Store } from './store.ts';
import type { UserInfo } from './tokens.ts';

/** What somebody wants to do. */
export interface Attributes {
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `services/proxy`. */
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
}

const RBAC = 'rbac.authorization.k8s.io/v1';
const ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
const MASTERS = 'system:masters';

/** Whether a user may. */
export function rbacAllows(store: Store, user: UserInfo, attributes: Attributes): boolean {
  if (user.groups.includes(MASTERS)) return true;
  const [, home, account] = ACCOUNT.exec(user.username) ?? [];
  const isUser = ({ kind, name, namespace }: Json): boolean => {
    if (kind === 'ServiceAccount') return name === account && namespace === home;
    return kind === 'Group' ? user.groups.includes(String(name)) : name === user.username;
  };
  const rules = (kind: 'Role' | 'ClusterRole', inside: string | undefined): readonly Json[] =>
    store
      .list(served(`${kind}Binding`), inside)
      .filter(({ subjects }) => jsons(subjects).some(isUser))
      .flatMap(({ roleRef }) => {
        const { kind: of, name } = isRecord(roleRef) ? roleRef : {};
        const role = store.find(served(String(of)), of === 'Role' ? inside : undefined, String(name));
        return jsons(role?.rules);
      });
  const { namespace } = attributes;
  const all = [
    ...(namespace === undefined ? [] : rules('Role', namespace)),
    ...rules('ClusterRole', undefined),
  ];
  return all.some(
    ({ apiGroups, resources, verbs, resourceNames }) =>
      has(apiGroups, attributes.group) &&
      has(resources, attributes.resource) &&
      has(verbs, attributes.verb) &&
      (resourceNames === undefined || has(resourceNames, attributes.name ?? '')),
  );
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
