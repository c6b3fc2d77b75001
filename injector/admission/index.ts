/** Admission: the webhook that adds the sidecar to new pods, and the rules that it goes by. */

export {
  allows,
  annotatedEnvironment,
  annotatedResources,
  chosenPath,
  ENFORCED_GENERATION_ANNOTATION,
  EXCLUDED_PORTS_ANNOTATION,
  EXCLUDED_PORTS_MAX,
  excludedPorts,
  INJECT_ENABLED,
  INJECT_LABEL,
  isEnabled,
  isInjected,
  NAMESPACE_ANNOTATIONS,
  NODE_TRAFFIC_ANNOTATION,
  NODE_TRAFFIC_VALUES,
  nodeTraffic,
  OPT_OUT_ANNOTATION,
  OPT_OUT_VALUE,
  PATH_ANNOTATION,
  quantityValue,
  RESOURCE_ANNOTATIONS,
  type Resources,
  SIDECAR_ANNOTATIONS,
  STATE_ANNOTATION,
  STATUS_ANNOTATION,
  unknownAnnotations,
  unknownNamespaceAnnotations,
} from './annotations/index.ts';
export {
  DEFAULT_RESOURCES,
  INJECTION_OPTIONS,
  type InjectionConfig,
  inject,
  injectionConfig,
  podProbePorts,
  type WebhookSettings,
  webhookSettings,
} from './injection/index.ts';
export { type AdmittedContainer, parseAdmittedPod } from './pod/index.ts';
export { POD_SECURITY_LABEL, POD_SECURITY_LEVELS, podSecurityLevel } from './privileges/index.ts';
export { startWebhookServer, WEBHOOK_PATH } from './webhook/index.ts';
