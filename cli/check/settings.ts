/** The settings of injection that pods are judged with: those of the installation, where there is one. */
import type { V1Container, V1Deployment } from '@kubernetes/client-node';
import { SluiceError } from '../../common/errors.ts';
import type { InjectionConfig } from '../../injector/admission/index.ts';
import { DEFAULT_RESOURCES } from '../../injector/admission/index.ts';
import { readInjectorConfig } from '../../injector/config.ts';
import { error, type Finding, ok, warning } from './finding.ts';

/** What pods are judged with, and what is to be said of it. */
export interface Settings {
  readonly injection: InjectionConfig;
  readonly findings: readonly Finding[];
}

const SUBJECT = 'settings';

/** The settings of an installation that changes none. Image and address do not change what injection decides. */
const DEFAULTS: InjectionConfig = {
  version: '',
  image: '',
  imagePullPolicy: 'IfNotPresent',
  mode: 'native',
  injectorAddress: '',
  injectorName: '',
  iptables: 'auto',
  sidecarLogLevel: 'info',
  sidecarFlowLog: 'denied',
  resources: DEFAULT_RESOURCES,
};

/** @param why there are no others */
export function defaultSettings(why: string): Settings {
  return { injection: DEFAULTS, findings: [ok(SUBJECT, `${judgedWithDefaults()}: ${why}`)] };
}

function judgedWithDefaults(): string {
  const { requests, limits } = DEFAULTS.resources;
  return `judged with default limits, memory ${requests.memory} to ${limits.memory}, CPU ${requests.cpu} to ${limits.cpu}`;
}

/**
 * Those of the injector that is installed, from its Deployment; the defaults where none is.
 * @param isRead whether the installation could be read
 */
export function installedSettings(deployment: V1Deployment | undefined, isRead = true): Settings {
  if (deployment === undefined)
    return defaultSettings(isRead ? 'no injector is installed' : 'the installation could not be read');
  const container = deployment.spec?.template.spec?.containers.find(({ name }) => name === 'injector');
  const unread = settingsElsewhere(container);
  if (unread !== undefined)
    return {
      injection: DEFAULTS,
      findings: [warning('CK009', SUBJECT, `${judgedWithDefaults()}: ${unread}`)],
    };
  try {
    const config = readInjectorConfig(flagsOf(container), environmentOf(container));
    if (config?.source === 'kubernetes' && config.webhook !== undefined)
      return { injection: { ...DEFAULTS, ...config.webhook.injection }, findings: [] };
    return defaultSettings('the injector has no webhook');
  } catch (cause) {
    if (!(cause instanceof SluiceError)) throw cause;
    const message = `the injector cannot start with its own, so pods are ${judgedWithDefaults()}: ${cause.message}`;
    return { injection: DEFAULTS, findings: [error('CK010', SUBJECT, message)] };
  }
}

/** Says which of the injector's settings its Deployment does not have itself; undefined: it has all of them. */
function settingsElsewhere(container: Partial<V1Container> = {}): string | undefined {
  const { env = [], envFrom = [], command = [], args = [] } = container;
  const names = env.flatMap(({ name, valueFrom }) =>
    name.startsWith('SLUICE_') && valueFrom && !valueFrom.fieldRef ? [name] : [],
  );
  if (names.length > 0) return `the injector has ${names.join(', ')} from elsewhere, which is not read here`;
  if (envFrom.length > 0) return 'the injector has envFrom, which is not read here';
  const isKnown = [...command, ...args].some((word) => PROGRAM.test(word));
  return isKnown || command.length === 0
    ? undefined
    : 'the injector is started by another command than usual';
}

/** As in `node --disable-sigusr1 /sluice/injector.mjs`. */
const PROGRAM = /injector\.(mjs|ts)$/;

/** What follows the program. */
function flagsOf({ command = [], args = [] }: Partial<V1Container> = {}): readonly string[] {
  const words = [...command, ...args];
  return words.slice(words.findIndex((word) => PROGRAM.test(word)) + 1);
}

/** A field of the pod is none that injection is set by: any text stands for it. */
function environmentOf({ env = [] }: Partial<V1Container> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [name, value ?? (valueFrom ? name : '')]),
  );
}
