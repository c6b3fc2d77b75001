/** What a path of the API means: `/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/allow`. */
import { RESOURCES, REVIEWS, type Resource } from './resources.ts';

/** One place of the API: a collection, an object, or a subresource of one. */
export interface Place {
  readonly resource: Resource;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

const PATH = /^\/(?:api|apis\/(?<group>[^/]+))\/(?<version>[^/]+)\/(?<rest>.+)$/;

/** The place of a path; undefined where nothing is served. */
export function readPath(path: string): Place | undefined {
  const match = PATH.exec(path);
  if (match?.groups === undefined) return undefined;
  const { group = '', version, rest = '' } = match.groups;
  const find = (plural: string | undefined): Resource | undefined =>
    [...RESOURCES, ...REVIEWS].find(
      (resource) => resource.group === group && resource.version === version && resource.plural === plural,
    );
  const parts = rest.split('/').map(decodeURIComponent);
  const inNamespace = parts[0] === 'namespaces' ? find(parts[2]) : undefined;
  const [, namespace] = parts;
  if (inNamespace?.namespaced && namespace !== undefined)
    return place(inNamespace, parts.slice(3), namespace);
  const resource = find(parts[0]);
  return resource === undefined ? undefined : place(resource, parts.slice(1));
}

function place(resource: Resource, [name, subresource]: readonly string[], namespace?: string): Place {
  return {
    resource,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}
