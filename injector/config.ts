/** The injector's settings: read once at start, from the environment and flags. */
import { hostname } from 'node:os';
import { INJECTOR_PORTS, USUAL_NAMESPACE } from '../common/contract.ts';
import { SluiceError } from '../common/errors.ts';
import { LOG_LEVELS } from '../common/log.ts';
import { type OptionSpec, type OptionValues, PORT, readOptions } from '../common/options.ts';
import type { PolicyLimits } from '../policy/index.ts';
import { LARGE_GROUP_OPTION, POLICY_LIMIT_OPTIONS, policyLimits } from '../sources/index.ts';
import { INJECTION_OPTIONS, type WebhookSettings, webhookSettings } from './admission/index.ts';
import { FLOW_OPTIONS, type FlowSettings, flowSettings } from './collector/index.ts';

/** Every option of `injector/main.ts`; docs/reference/configuration.md is made from this. */
export const INJECTOR_OPTIONS: readonly OptionSpec[] = [
  {
    env: 'SLUICE_DIR',
    flag: 'dir',
    kind: { type: 'text' },
    description: 'Directory of Kubernetes manifests to serve; watched. This or a cluster is needed',
  },
  {
    env: 'SLUICE_KUBERNETES',
    flag: 'kubernetes',
    kind: { type: 'text' },
    description:
      'Cluster to serve: in-cluster, or the path of a kubeconfig file. This or a directory is needed',
  },
  {
    env: 'SLUICE_SOCKET',
    flag: 'socket',
    kind: { type: 'text' },
    description: 'Unix socket that sidecars connect to; made with mode 0600. Needed with a directory',
  },
  {
    env: 'SLUICE_STATUS_SOCKET',
    flag: 'status-socket',
    kind: { type: 'text' },
    description: 'Unix socket for HTTP: /healthz, /readyz, /status and /metrics. Not set: none',
  },
  {
    env: 'SLUICE_TABLES_PORT',
    flag: 'tables-port',
    kind: PORT,
    default: String(INJECTOR_PORTS.tables),
    description: 'Port that sidecars of a cluster connect to, TLS',
  },
  {
    env: 'SLUICE_OPERATOR_PORT',
    flag: 'operator-port',
    kind: PORT,
    default: String(INJECTOR_PORTS.operator),
    description: 'Port where users ask about flows, through the API server; TLS',
  },
  {
    env: 'SLUICE_STATUS_PORT',
    flag: 'status-port',
    kind: PORT,
    default: String(INJECTOR_PORTS.status),
    description: 'Port for HTTP in a cluster: /healthz, /readyz, /metrics and /enforcing',
  },
  {
    env: 'SLUICE_NAMESPACE',
    flag: 'namespace',
    kind: { type: 'text' },
    default: USUAL_NAMESPACE,
    description: "The injector's own namespace in the cluster",
  },
  {
    env: 'SLUICE_REPLICA',
    flag: 'replica',
    kind: { type: 'text' },
    description: "Name of this injector among its replicas, such as its pod's. Not set: the host name",
  },
  ...INJECTION_OPTIONS,
  ...POLICY_LIMIT_OPTIONS,
  LARGE_GROUP_OPTION,
  ...FLOW_OPTIONS,
  {
    env: 'SLUICE_LOG_LEVEL',
    flag: 'log-level',
    kind: { type: 'choice', choices: LOG_LEVELS },
    default: 'info',
    description: 'Lowest level logged',
  },
];

/** Serves a directory of manifests to sidecars of this machine. */
export interface DirectoryConfig {
  readonly source: 'directory';
  readonly dir: string;
  readonly socket: string;
  readonly statusSocket?: string;
  readonly policyLimits: PolicyLimits;
  readonly largeGroup: number;
  readonly flows: FlowSettings;
  readonly logLevel: string;
}

/** Serves a cluster. */
export interface KubernetesConfig {
  readonly source: 'kubernetes';
  /** `in-cluster`, or a kubeconfig file. */
  readonly kubernetes: string;
  readonly namespace: string;
  readonly replica: string;
  readonly tablesPort: number;
  readonly operatorPort: number;
  readonly statusPort: number;
  readonly statusSocket?: string;
  /** Absent: no webhook. */
  readonly webhook?: WebhookSettings;
  readonly policyLimits: PolicyLimits;
  readonly largeGroup: number;
  readonly flows: FlowSettings;
  readonly logLevel: string;
}

/** What the injector needs. */
export type InjectorConfig = DirectoryConfig | KubernetesConfig;

/**
 * Reads flags and environment.
 * @returns `undefined` when help was asked for.
 * @throws SluiceError `CONFIG_INVALID` naming the variable or flag.
 */
export function readInjectorConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): InjectorConfig | undefined {
  const { values, positionals, help } = readOptions(INJECTOR_OPTIONS, argv, env);
  if (help) return undefined;
  if (positionals.length > 0)
    throw new SluiceError('CONFIG_INVALID', `'${positionals.join(' ')}' is not expected (see --help)`);
  return values.optionalText('SLUICE_KUBERNETES') === undefined
    ? directoryConfig(values)
    : kubernetesConfig(values);
}

function directoryConfig(values: OptionValues): DirectoryConfig {
  if (values.optionalText('SLUICE_DIR') === undefined)
    throw new SluiceError(
      'CONFIG_INVALID',
      'SLUICE_DIR or SLUICE_KUBERNETES is required: set one, or give --dir or --kubernetes',
    );
  const config = {
    source: 'directory',
    dir: values.text('SLUICE_DIR'),
    socket: values.text('SLUICE_SOCKET'),
    ...optional('statusSocket', values.optionalText('SLUICE_STATUS_SOCKET')),
    policyLimits: policyLimits(values),
    largeGroup: values.integer('SLUICE_LARGE_GROUP'),
    flows: flowSettings(values),
    logLevel: values.text('SLUICE_LOG_LEVEL'),
  } as const;
  if (config.statusSocket === config.socket)
    throw new SluiceError('CONFIG_INVALID', '--socket and --status-socket must differ');
  return config;
}

function kubernetesConfig(values: OptionValues): KubernetesConfig {
  for (const env of ['SLUICE_DIR', 'SLUICE_SOCKET'])
    if (values.optionalText(env) !== undefined)
      throw new SluiceError(
        'CONFIG_INVALID',
        `${env} and SLUICE_KUBERNETES exclude each other: the one serves a directory, the other a cluster`,
      );
  const ports = [
    'SLUICE_TABLES_PORT',
    'SLUICE_OPERATOR_PORT',
    'SLUICE_STATUS_PORT',
    'SLUICE_WEBHOOK_PORT',
  ].flatMap((env) => values.optionalText(env) ?? []);
  if (new Set(ports).size < ports.length)
    throw new SluiceError(
      'CONFIG_INVALID',
      '--tables-port, --operator-port, --status-port and --webhook-port must differ',
    );
  return {
    source: 'kubernetes',
    kubernetes: values.text('SLUICE_KUBERNETES'),
    namespace: values.text('SLUICE_NAMESPACE'),
    replica: values.optionalText('SLUICE_REPLICA') ?? hostname(),
    tablesPort: values.integer('SLUICE_TABLES_PORT'),
    operatorPort: values.integer('SLUICE_OPERATOR_PORT'),
    statusPort: values.integer('SLUICE_STATUS_PORT'),
    ...optional('statusSocket', values.optionalText('SLUICE_STATUS_SOCKET')),
    ...optional('webhook', webhookSettings(values)),
    policyLimits: policyLimits(values),
    largeGroup: values.integer('SLUICE_LARGE_GROUP'),
    flows: flowSettings(values),
    logLevel: values.text('SLUICE_LOG_LEVEL'),
  };
}

/** A field that is there only where it has a value. */
function optional<Key extends string, T>(key: Key, value: T | undefined): { [key in Key]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [key in Key]?: T };
}
