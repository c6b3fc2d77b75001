#!/usr/bin/env node
/** Entry of the embedded injector. Prints one JSON log line per event, nothing else; SIGTERM and SIGINT stop it. */
import { openLog } from '../common/log.ts';
import { describeOptions } from '../common/options.ts';
import { type ErrorCode, SluiceError } from '../policy/errors.ts';
import { INJECTOR_OPTIONS, readInjectorConfig } from './config.ts';
import { startInjector } from './injector.ts';

const USAGE = `usage: main.ts --dir DIR --socket PATH [options]

Serves each sidecar its own pod's table, made from a directory of Kubernetes manifests.
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
]);

async function main(argv: readonly string[]): Promise<void> {
  const config = readInjectorConfig(argv, process.env);
  if (config === undefined) {
    process.stdout.write(USAGE);
    return;
  }
  const { logLevel, ...paths } = config;
  const log = openLog(logLevel);
  // Before anything is made, so that a signal during the start leaves no socket file either.
  const stop = new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, resolve);
  });
  log.info({ config }, 'injector starting');
  const injector = await startInjector(paths, log);
  log.info('injector ready');
  const signal = await stop;
  log.info({ signal }, 'injector stopping');
  await injector.close();
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const known = error instanceof SluiceError;
  process.stderr.write(
    `sluice-injector: ${known ? `${error.code}: ${error.message}` : (error as Error).stack}\n`,
  );
  process.exit(known && USAGE_ERRORS.has(error.code) ? EXIT_USAGE : 1);
});
