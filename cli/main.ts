/** The `sluice` command: finds the sub-command and turns errors into exit codes. */

import { basename } from 'node:path';
import { stackOf } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { VERSION } from '../common/version.ts';
import { COMMANDS } from './commands.ts';
import { didYouMean } from './likeness.ts';
import { complain } from './output.ts';
import { watchOutput } from './output_watch.ts';
import { foldText } from './terminal/index.ts';

/** Of the words before the explanations. */
const WIDTH = Math.max('-v, --version'.length, ...COMMANDS.map(({ name }) => name.length));

const USAGE = `usage: sluice <command> [options]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(WIDTH)}  ${summary}\n`).join('')}
  help COMMAND   explains a command, as \`sluice COMMAND --help\` does
  -v, --version  the version
  -h, --help     this text

Exit code: 0 done, or yes; 1 no, or something found; 2 an error, said on stderr; 124 the time of --timeout is over; 141
the reader of the output has gone away.
`;

/** Errors of use, of manifests and of the system alike; 1 is an answer. */
const EXIT_ERROR = 2;

/** As of timeout(1). */
const EXIT_TIMED_OUT = 124;

async function run(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv;
  switch (command) {
    case 'help':
      return rest[0] === undefined ? usage() : await runCommand(rest[0], [...rest.slice(1), '--help']);
    case '--help':
    case '-h':
      return usage();
    case 'version':
    case '--version':
    case '-v':
      process.stdout.write(`sluice ${VERSION}\n`);
      return 0;
    case '__complete':
      return await (await import('./completion/index.ts')).complete(COMMANDS, rest);
    case undefined:
      process.stderr.write(USAGE);
      return EXIT_ERROR;
    default:
      return await runCommand(command, rest);
  }
}

/** What follows the program's name. kubectl asks the program of this name what may follow `kubectl sluice`. */
function commandLine([, program = '', ...argv]: readonly string[]): readonly string[] {
  return basename(program) === 'kubectl_complete-sluice' ? ['__complete', ...argv] : argv;
}

function usage(): number {
  process.stdout.write(foldText(USAGE));
  return 0;
}

async function runCommand(command: string, argv: readonly string[]): Promise<number> {
  const entry = COMMANDS.find(({ name }) => name === command);
  if (entry !== undefined) return await (await entry.load())(argv);
  const hint = didYouMean(
    command,
    COMMANDS.map(({ name }) => name),
  );
  throw new SluiceError(
    'USAGE',
    `${JSON.stringify(command)} is no command${hint || ': see `sluice --help`'}`,
  );
}

/** What people read: a message for errors we know, a stack for those we do not. */
function describeError(error: unknown): string {
  if (error instanceof SluiceError) return error.message;
  return stackOf(error);
}

/** Says what went wrong. Every error is exit code 2, but for a time limit of the user's own. */
function fail(error: unknown): number {
  complain(`sluice: ${describeError(error)}`);
  return error instanceof SluiceError && error.code === 'TIMED_OUT' ? EXIT_TIMED_OUT : EXIT_ERROR;
}

// Node's own exit code for an error that nothing caught is 1, and that means denied.
process.on('uncaughtException', (error) => process.exit(fail(error)));

const output = watchOutput('sluice');
const code = await run(commandLine(process.argv)).catch(fail);
process.exitCode = (await output.exitCode()) ?? code;
// What was given up may still wait for something.
if (code === EXIT_TIMED_OUT) process.exit();
