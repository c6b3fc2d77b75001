/** The face of `injector/admission/`: what other parts may use. */

export {
  allows,
  annotatedEnvironment,
  EXCLUDED_PORTS_ANNOTATION,
  EXCLUDED_PORTS_MAX,
  excludedPorts,
  INJECT_ENABLED,
  INJECT_LABEL,
  isEnabled,
  isInjected,
  isNeverInjected,
  NAMESPACE_ANNOTATIONS,
  OPT_OUT_ANNOTATION,
  OPT_OUT_VALUE,
  RESOURCE_ANNOTATIONS,
  SIDECAR_ANNOTATIONS,
  STATUS_ANNOTATION,
  unknownAnnotations,
} from './annotations.ts';
export { inject, podProbePorts } from './inject.ts';
export type { InjectionConfig } from './injection_config.ts';
export {
  DEFAULT_RESOURCES,
  INJECTION_OPTIONS,
  injectionConfig,
  type WebhookSettings,
  webhookSettings,
} from './injection_options.ts';
export { CA_CONFIG_MAP, CA_FILE, REDIRECT_CONTAINER, SIDECAR_CONTAINER, TOKEN_AUDIENCE } from './names.ts';
export { NODE_TRAFFIC_ANNOTATION, NODE_TRAFFIC_VALUES, nodeTraffic } from './node_traffic.ts';
export { type AdmittedContainer, parseAdmittedPod } from './pod_object.ts';
export { POD_SECURITY_LABEL, POD_SECURITY_LEVELS, podSecurityLevel } from './pod_security.ts';
export { startWebhookServer, WEBHOOK_PATH } from './webhook_server.ts';
