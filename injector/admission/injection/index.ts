/** Injection: from a pod and its namespace to the patch that adds the sidecar, or to why there is none. */

export { type Injection, inject, podProbePorts } from './inject.ts';
export type { InjectionConfig } from './injection_config.ts';
export {
  DEFAULT_RESOURCES,
  INJECTION_OPTIONS,
  injectionConfig,
  type WebhookSettings,
  webhookSettings,
} from './injection_options.ts';
