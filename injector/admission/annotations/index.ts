/** The labels and annotations that steer injection: what each may say, and what a pod's come to. */

export {
  allows,
  annotatedEnvironment,
  annotatedResources,
  ENFORCED_GENERATION_ANNOTATION,
  EVICTABLE_VOLUMES_ANNOTATION,
  EXCLUDED_PORTS_ANNOTATION,
  EXCLUDED_PORTS_MAX,
  excludedPorts,
  INJECT_ENABLED,
  INJECT_LABEL,
  isEnabled,
  isInjected,
  NAMESPACE_ANNOTATIONS,
  OPT_OUT_ANNOTATION,
  OPT_OUT_VALUE,
  PATH_ANNOTATION,
  RESOURCE_ANNOTATIONS,
  type Resources,
  SIDECAR_ANNOTATIONS,
  STATE_ANNOTATION,
  STATUS_ANNOTATION,
  unknownAnnotations,
  unknownNamespaceAnnotations,
  withEvictableVolume,
} from './annotations.ts';
export { NODE_TRAFFIC_ANNOTATION, NODE_TRAFFIC_VALUES, nodeTraffic } from './node_traffic.ts';
export { chosenPath } from './path.ts';
export { quantityValue, type ResourceName, resourceProblem } from './quantity.ts';
