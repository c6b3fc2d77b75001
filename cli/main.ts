/** The `sluice` command: finds the sub-command and turns errors into exit codes. */

import { stackOf } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { VERSION } from '../common/version.ts';
import { complain } from './output.ts';
import { watchOutput } from './output_watch.ts';

const USAGE = `usage: sluice <command> [options]

  can    may one pod connect to another, by the manifests, and why
  check  what keeps pods from being enforced, by the manifests or in a cluster
  lab    a small cluster on this machine, made of network namespaces

  --help       this text; \`sluice <command> --help\` explains a command
  --version    the version

Exit code: 0 done (can: allowed), 1 can: denied, check: something found, 2 an error, said on stderr; 141 when the reader
of the output has gone away.
`;

/** Errors of use, of manifests and of the system alike; `can` has 1 for "denied", `check` for what it found. */
const EXIT_ERROR = 2;

async function run(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case 'can':
      return await (await import('./can/index.ts')).runCan(rest);
    case 'check':
      return await (await import('./check/index.ts')).runCheck(rest);
    case 'lab':
      return await (await import('./lab/index.ts')).runLab(rest);
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(USAGE);
      return 0;
    case 'version':
    case '--version':
      process.stdout.write(`sluice ${VERSION}\n`);
      return 0;
    case undefined:
      process.stderr.write(USAGE);
      return EXIT_ERROR;
    default:
      throw new SluiceError('USAGE', `${JSON.stringify(command)} is no command: see \`sluice --help\``);
  }
}

/** What people read: a message for errors we know, a stack for those we do not. */
function describeError(error: unknown): string {
  if (error instanceof SluiceError) return error.message;
  return stackOf(error);
}

/** Says what went wrong; every error is exit code 2. */
function fail(error: unknown): number {
  complain(`sluice: ${describeError(error)}`);
  return EXIT_ERROR;
}

// Node's own exit code for an error that nothing caught is 1, and that means denied.
process.on('uncaughtException', (error) => process.exit(fail(error)));

const output = watchOutput('sluice');
const code = await run(process.argv.slice(2)).catch(fail);
process.exitCode = (await output.exitCode()) ?? code;
