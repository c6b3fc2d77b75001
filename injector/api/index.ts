/** The Kubernetes API: single calls, and reflectors that list and watch one kind of object and keep its copy current. */

export {
  CONFLICT,
  FORBIDDEN,
  hasCause,
  hasCode,
  ifThere,
  NOT_FOUND,
  whatFailed,
  within,
} from './api_call.ts';
export { ApiClient, type Query } from './api_client.ts';
export { ApiFailure } from './api_failure.ts';
export type { ObjectChange } from './known_objects.ts';
export { loadKubeConfig, readKubeConfig } from './kube_config.ts';
export { type ListSink, listAll, MAX_PAGES, PAGE_LIMIT } from './list.ts';
export { field, keyOf, type RawObject, readRawObjectJson } from './raw_object.ts';
export { Reflector, type ReflectorEvents, type ReflectorSpec, type ReflectorTimes } from './reflector.ts';
