/** The injector's settings: read once at start, from the environment and flags. */
import { LOG_LEVELS } from '../common/log.ts';
import { type OptionSpec, readOptions } from '../common/options.ts';
import { SluiceError } from '../policy/errors.ts';

/** Every option of `injector/main.ts`; docs/reference/configuration.md is made from this. */
export const INJECTOR_OPTIONS: readonly OptionSpec[] = [
  {
    env: 'SLUICE_DIR',
    flag: 'dir',
    kind: { type: 'text' },
    description: 'Directory of Kubernetes manifests to serve; watched. Needed',
  },
  {
    env: 'SLUICE_SOCKET',
    flag: 'socket',
    kind: { type: 'text' },
    description: 'Unix socket that sidecars connect to; made with mode 0600. Needed',
  },
  {
    env: 'SLUICE_STATUS_SOCKET',
    flag: 'status-socket',
    kind: { type: 'text' },
    description: 'Unix socket for HTTP: /healthz, /status and /metrics. Not set: none',
  },
  {
    env: 'SLUICE_LOG_LEVEL',
    flag: 'log-level',
    kind: { type: 'choice', choices: LOG_LEVELS },
    default: 'info',
    description: 'Lowest level logged',
  },
];

/** What the injector needs. */
export interface InjectorConfig {
  readonly dir: string;
  readonly socket: string;
  readonly statusSocket?: string;
  readonly logLevel: string;
}

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
  const statusSocket = values.optionalText('SLUICE_STATUS_SOCKET');
  const config = {
    dir: values.text('SLUICE_DIR'),
    socket: values.text('SLUICE_SOCKET'),
    logLevel: values.text('SLUICE_LOG_LEVEL'),
  };
  if (statusSocket === config.socket)
    throw new SluiceError('CONFIG_INVALID', '--socket and --status-socket must differ');
  return statusSocket === undefined ? config : { ...config, statusSocket };
}
