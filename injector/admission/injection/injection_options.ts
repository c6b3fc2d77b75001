/** The injector's settings of injection: a part of `INJECTOR_OPTIONS`. */

import { SluiceError } from '../../../common/errors.ts';
import { FLOW_LOGS, LOG_LEVELS } from '../../../common/log.ts';
import { addressPortText, isPort } from '../../../common/net.ts';
import { type OptionSpec, type OptionValues, PORT } from '../../../common/options.ts';
import { VERSION } from '../../../common/version.ts';
import type { Cluster } from '../../../policy/index.ts';
import type { Resources } from '../annotations/index.ts';
import { quantityValue, type ResourceName, resourceProblem } from '../annotations/index.ts';
import type { InjectionConfig } from './injection_config.ts';

const PULL_POLICIES: readonly InjectionConfig['imagePullPolicy'][] = ['Always', 'IfNotPresent', 'Never'];
const MODES: readonly InjectionConfig['mode'][] = ['native', 'classic'];
const IPTABLES: readonly InjectionConfig['iptables'][] = ['auto', 'nft', 'legacy'];

/** Idle is 45 MB resident; tens of thousands of connections fit below the limit. */
const RESOURCE_DEFAULTS = {
  CPU_REQUEST: '10m',
  CPU_LIMIT: '2',
  MEMORY_REQUEST: '64Mi',
  MEMORY_LIMIT: '512Mi',
};

/** Of a sidecar where neither the installation nor the pod says anything else. */
export const DEFAULT_RESOURCES: Resources = {
  requests: { cpu: RESOURCE_DEFAULTS.CPU_REQUEST, memory: RESOURCE_DEFAULTS.MEMORY_REQUEST },
  limits: { cpu: RESOURCE_DEFAULTS.CPU_LIMIT, memory: RESOURCE_DEFAULTS.MEMORY_LIMIT },
};

/** Every option of the webhook and of what it injects. */
export const INJECTION_OPTIONS: readonly OptionSpec[] = [
  {
    env: 'SLUICE_WEBHOOK_PORT',
    flag: 'webhook-port',
    kind: PORT,
    description: 'Port of the admission webhook, HTTPS, in Kubernetes mode. Not set: none',
  },
  {
    env: 'SLUICE_SERVICE',
    flag: 'service',
    kind: { type: 'text' },
    default: 'sluice-system/sluice-injector:15010',
    description: 'NAMESPACE/NAME:PORT of the Service at which sidecars find their tables',
  },
  {
    env: 'SLUICE_SIDECAR_IMAGE',
    flag: 'sidecar-image',
    kind: { type: 'text' },
    description: 'Image of the sidecar and the redirect; needed by the webhook',
  },
  {
    env: 'SLUICE_SIDECAR_IMAGE_PULL_POLICY',
    flag: 'sidecar-image-pull-policy',
    kind: { type: 'choice', choices: PULL_POLICIES },
    default: 'IfNotPresent',
    description: 'When nodes pull that image',
  },
  {
    env: 'SLUICE_SIDECAR_MODE',
    flag: 'sidecar-mode',
    kind: { type: 'choice', choices: MODES },
    default: 'native',
    description:
      'native: in force before every other container, Kubernetes 1.29 or later. classic: an ordinary container',
  },
  {
    env: 'SLUICE_SIDECAR_IPTABLES',
    flag: 'sidecar-iptables',
    kind: { type: 'choice', choices: IPTABLES },
    default: 'auto',
    description:
      'iptables back end in pods. auto, nft: the nft one, with NET_ADMIN alone; legacy: gives NET_RAW too, to all containers of Sluice',
  },
  {
    env: 'SLUICE_SIDECAR_LOG_LEVEL',
    flag: 'sidecar-log-level',
    kind: { type: 'choice', choices: LOG_LEVELS },
    default: 'info',
    description: 'Lowest level that sidecars log, where the pod says nothing else',
  },
  {
    env: 'SLUICE_SIDECAR_FLOW_LOG',
    flag: 'sidecar-flow-log',
    kind: { type: 'choice', choices: FLOW_LOGS },
    default: 'denied',
    description:
      'Which flows have a line in the log of sidecars, where the pod says nothing else: denied, those that are denied or cut; all; none',
  },
  ...resourceOptions(),
];

function resourceOptions(): readonly OptionSpec[] {
  return (['CPU_REQUEST', 'CPU_LIMIT', 'MEMORY_REQUEST', 'MEMORY_LIMIT'] as const).map((name) => {
    const [resource, kind] = name.toLowerCase().split('_');
    return {
      env: `SLUICE_SIDECAR_${name}`,
      flag: `sidecar-${resource}-${kind}`,
      kind: { type: 'text' },
      default: RESOURCE_DEFAULTS[name],
      description: `${resource === 'cpu' ? 'CPU' : 'Memory'} ${kind} of sidecars, where the pod says nothing else`,
    };
  });
}

/** What the webhook serves, and what it injects. */
export interface WebhookSettings {
  readonly port: number;
  readonly service: { readonly key: string; readonly name: string; readonly port: number };
  readonly injection: Omit<InjectionConfig, 'injectorAddress' | 'injectorName'>;
}

/**
 * @returns undefined when there is to be no webhook
 * @throws SluiceError `CONFIG_INVALID` naming the variable
 */
export function webhookSettings(values: OptionValues): WebhookSettings | undefined {
  if (values.optionalText('SLUICE_WEBHOOK_PORT') === undefined) return undefined;
  return {
    port: values.integer('SLUICE_WEBHOOK_PORT'),
    service: serviceOf(values.text('SLUICE_SERVICE')),
    injection: {
      version: VERSION,
      image: values.text('SLUICE_SIDECAR_IMAGE'),
      imagePullPolicy: values.choice('SLUICE_SIDECAR_IMAGE_PULL_POLICY', PULL_POLICIES),
      mode: values.choice('SLUICE_SIDECAR_MODE', MODES),
      iptables: values.choice('SLUICE_SIDECAR_IPTABLES', IPTABLES),
      sidecarLogLevel: values.text('SLUICE_SIDECAR_LOG_LEVEL'),
      sidecarFlowLog: values.choice('SLUICE_SIDECAR_FLOW_LOG', FLOW_LOGS),
      resources: {
        requests: { cpu: request(values, 'cpu'), memory: request(values, 'memory') },
        limits: { cpu: quantity(values, 'cpu', 'LIMIT'), memory: quantity(values, 'memory', 'LIMIT') },
      },
    },
  };
}

/** The settings with the address that the Service has now; undefined while it has none. */
export function injectionConfig(
  { service, injection }: WebhookSettings,
  cluster: Cluster,
): InjectionConfig | undefined {
  const [address] = cluster.services.get(service.key)?.clusterIPs ?? [];
  if (address === undefined) return undefined;
  const injectorAddress = addressPortText({ address, port: service.port });
  return { ...injection, injectorAddress, injectorName: service.name };
}

function serviceOf(text: string): WebhookSettings['service'] {
  const [, namespace, name, digits] = /^([a-z0-9-]+)\/([a-z0-9-]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (isPort(port)) return { key: `${namespace}/${name}`, name: `${name}.${namespace}.svc`, port };
  throw new SluiceError(
    'CONFIG_INVALID',
    `SLUICE_SERVICE is '${text}': wants NAMESPACE/NAME:PORT, such as sluice-system/sluice-injector:15010`,
  );
}

/** API servers refuse a container whose request is over its limit: that would be every pod. */
function request(values: OptionValues, resource: ResourceName): string {
  const requested = quantity(values, resource, 'REQUEST');
  const limit = quantity(values, resource, 'LIMIT');
  if (quantityValue(requested) <= quantityValue(limit)) return requested;
  throw new SluiceError(
    'CONFIG_INVALID',
    `${resourceVariable(resource, 'REQUEST')} is '${requested}': wants at most '${limit}', which is ${resourceVariable(resource, 'LIMIT')}`,
  );
}

function quantity(values: OptionValues, resource: ResourceName, kind: 'REQUEST' | 'LIMIT'): string {
  const env = resourceVariable(resource, kind);
  const text = values.text(env);
  const problem = resourceProblem(resource, text);
  if (problem === undefined) return text;
  throw new SluiceError('CONFIG_INVALID', `${env} is '${text}': ${problem}`);
}

function resourceVariable(resource: ResourceName, kind: 'REQUEST' | 'LIMIT'): string {
  return `SLUICE_SIDECAR_${resource.toUpperCase()}_${kind}`;
}
