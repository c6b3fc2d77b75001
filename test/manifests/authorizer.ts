/** Decides on requests by the roles of manifests. */
import type { Place } from '../support/api_server/request_path.ts';
import type { Rendered } from './render.ts';

/** The injector's account, as a user. */
export const INJECTOR = 'system:serviceaccount:sluice-system:sluice-injector';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** Decides as the API server does with the injector's own roles; what is refused is remembered. */
export class Authorizer {
  readonly refused: string[] = [];
  readonly #roles: readonly Rendered[];

  constructor(objects: readonly Rendered[]) {
    this.#roles = objects.filter(
      ({ kind, metadata }) => kind.endsWith('Role') && metadata.name === 'sluice-injector',
    );
  }

  allows(verb: string, { resource, namespace: inside, name, subresource }: Place): boolean {
    const what = subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`;
    const allowed = this.#roles
      .filter(({ kind, metadata }) => kind === 'ClusterRole' || metadata.namespace === inside)
      .flatMap(({ rules }) => rules as readonly Rule[])
      .some(
        (rule) =>
          rule.verbs.includes(verb) &&
          rule.apiGroups.includes(resource.group) &&
          rule.resources.includes(what) &&
          (rule.resourceNames === undefined || rule.resourceNames.includes(name ?? '')),
      );
    if (!allowed) this.refused.push(`${verb} ${what} ${inside ?? ''}/${name ?? ''}`);
    return allowed;
  }
}
