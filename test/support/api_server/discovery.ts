/** What is served where: clients that take any object ask for it first. */
import { notFound } from './api_error.ts';
import type { Json } from './api_object.ts';
import { apiVersionOf, RESOURCES } from './resources.ts';

/** @throws ApiError 404 for a path that is not served */
export function discover(path: string): Json {
  if (path === '/version') return { major: '1', minor: '36', gitVersion: 'v1.36.0' };
  const version = /^\/(?:api|apis)\/(.+)$/.exec(path)?.[1];
  const resources = RESOURCES.filter((resource) => apiVersionOf(resource) === version);
  if (resources.length === 0) throw notFound('paths', path);
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: version,
    resources: resources.map(({ plural, kind, namespaced }) => ({
      name: plural,
      singularName: kind.toLowerCase(),
      namespaced,
      kind,
      verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
    })),
  };
}
