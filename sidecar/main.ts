#!/usr/bin/env node
/**
 * Entry of the sidecar: `run`, and `redirect apply|verify|remove`. `apply` is the step before an ordinary sidecar; a native one does
 * the same in `run`, and fails with the same message and exit code.
 */
import { stackOf } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { describeOptions, readOptions } from '../common/options.ts';
import { redirectConfig, SIDECAR_OPTIONS, sidecarConfig } from './config.ts';

const USAGE = `usage: main.ts run | redirect apply|verify|remove [options]

  run               enforce this pod's table on what it receives and what it sends
  redirect apply    put the TPROXY rules in force; may be run again
  redirect verify   exit 1 and name the first rule that is missing
  redirect remove   take the rules out; the pod is then not protected

Each option is a flag and an environment variable; the flag wins.
${describeOptions(SIDECAR_OPTIONS)}
`;

/** Bad input. */
const EXIT_USAGE = 2;

async function main(argv: readonly string[]): Promise<void> {
  const { values, positionals, help } = readOptions(SIDECAR_OPTIONS, argv, process.env);
  if (help) {
    process.stdout.write(USAGE);
    return;
  }
  switch (positionals.join(' ')) {
    case 'run': {
      const { runSidecar } = await import('./run.ts');
      await runSidecar(sidecarConfig(values));
      // All is closed and written. A tool that could not be started leaves a timer in Node, which is not waited for.
      return process.exit(0);
    }
    case 'redirect apply': {
      const { applyRedirect } = await import('./redirect/index.ts');
      const { redirect } = await applyRedirect(redirectConfig(values));
      say('redirect in force', redirect);
      return;
    }
    case 'redirect verify': {
      const { verifyRedirect } = await import('./redirect/index.ts');
      say('redirect verified', await verifyRedirect(redirectConfig(values)));
      return;
    }
    case 'redirect remove': {
      const { removeRedirect } = await import('./redirect/index.ts');
      await removeRedirect(redirectConfig(values));
      say('redirect removed', {});
      return;
    }
    default:
      throw new SluiceError('CONFIG_INVALID', `'${positionals.join(' ')}' is no command: see --help`);
  }
}

/** One JSON line, in the form of the log that `run` writes. */
function say(msg: string, fields: object): void {
  process.stdout.write(
    `${JSON.stringify({ level: 'info', time: new Date().toISOString(), msg, ...fields })}\n`,
  );
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const known = error instanceof SluiceError;
  process.stderr.write(`sluice-sidecar: ${known ? `${error.code}: ${error.message}` : stackOf(error)}\n`);
  process.exit(known && error.code === 'CONFIG_INVALID' ? EXIT_USAGE : 1);
});
