#!/usr/bin/env node
/** Entry of the injector. Prints one JSON log line per event, nothing else; SIGTERM and SIGINT stop it. */
import type { Logger } from 'pino';
import { stackOf } from '../common/errno.ts';
import { type ErrorCode, SluiceError } from '../common/errors.ts';
import { openLog } from '../common/log.ts';
import { describeOptions } from '../common/options.ts';
import { INJECTOR_OPTIONS, type InjectorConfig, readInjectorConfig } from './config.ts';
import { startDirectoryInjector } from './directory_injector.ts';
import type { Injector } from './injector.ts';

const USAGE = `usage: main.ts --dir DIR --socket PATH [options]
       main.ts --kubernetes in-cluster|KUBECONFIG [options]

Serves each sidecar its own pod's table, made from a directory of Kubernetes manifests or from a cluster. In a cluster it
also adds the sidecar to new pods.
Exit codes: 0 stopped by a signal, 1 failed, 2 bad input.

Each option is a flag and an environment variable; the flag wins.
${describeOptions(INJECTOR_OPTIONS)}
`;

/** Bad input: a flag, or a path that cannot be used. */
const EXIT_USAGE = 2;

const USAGE_ERRORS: ReadonlySet<ErrorCode> = new Set([
  'CONFIG_INVALID',
  'MANIFEST_UNREADABLE',
  'LISTEN_PATH_UNUSABLE',
  'LISTEN_ADDRESS_UNUSABLE',
]);

async function main(argv: readonly string[]): Promise<void> {
  const config = readInjectorConfig(argv, process.env);
  if (config === undefined) {
    process.stdout.write(USAGE);
    return;
  }
  const log = openLog(config.logLevel);
  // Before anything is made, so that a signal during the start leaves no socket file either.
  const stopping = new AbortController();
  const stop = new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, resolve);
  });
  void stop.then(() => stopping.abort());
  log.info({ config }, 'injector starting');
  const injector = await start(config, log, stopping.signal);
  if (!stopping.signal.aborted) log.info('injector ready');
  const signal = await stop;
  log.info({ signal }, 'injector stopping');
  await injector.close();
}

async function start(config: InjectorConfig, log: Logger, signal: AbortSignal): Promise<Injector> {
  if (config.source === 'directory') {
    const { policyLimits, largeGroup } = config;
    return startDirectoryInjector(config, log, { policyLimits, largeGroup });
  }
  // The Kubernetes client takes 80 MB and half a second to load: only where there is a cluster.
  const { startKubernetesInjector } = await import('./kubernetes_injector.ts');
  return startKubernetesInjector(config, log, signal);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const known = error instanceof SluiceError;
  process.stderr.write(`sluice-injector: ${known ? `${error.code}: ${error.message}` : stackOf(error)}\n`);
  process.exit(known && USAGE_ERRORS.has(error.code) ? EXIT_USAGE : 1);
});
