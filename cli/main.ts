/** The `sluice` command: finds the sub-command and turns errors into exit codes. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../policy/errors.ts';

const USAGE = `usage: sluice <command> [options]

  can    may one pod connect to another, by the manifests, and why
  lab    a small cluster on this machine, made of network namespaces

  --help       this text; \`sluice <command> --help\` explains a command
  --version    the version

Exit code: 0 done (can: allowed), 1 can: denied, 2 an error, said on stderr.
`;

/** Errors of use, of manifests and of the system alike; `can` has 1 for "denied". */
const EXIT_ERROR = 2;

async function run(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case 'can':
      return await (await import('./can/can.ts')).runCan(rest);
    case 'lab':
      return await (await import('./lab/commands.ts')).runLab(rest);
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(USAGE);
      return 0;
    case 'version':
    case '--version':
      process.stdout.write(`sluice ${version()}\n`);
      return 0;
    case undefined:
      process.stderr.write(USAGE);
      return EXIT_ERROR;
    default:
      throw new SluiceError('USAGE', `${JSON.stringify(command)} is no command: see \`sluice --help\``);
  }
}

function version(): string {
  const text = readFileSync(join(import.meta.dirname, '../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** What people read: a message for errors we know, a stack for those we do not. */
function describeError(error: unknown): string {
  if (error instanceof SluiceError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// A reader that has enough, such as `head`, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`sluice: ${describeError(error)}\n`);
  process.exitCode = EXIT_ERROR;
}
