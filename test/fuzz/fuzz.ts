/** `npm run fuzz`: runs fuzzers for long, one after the other. */
import { parseArgs } from 'node:util';
import { SEEDS } from './random.ts';
import { findingText, reportLine } from './report.ts';
import { type FuzzOptions, runTarget } from './run_target.ts';
import type { FuzzTarget } from './target.ts';
import { FUZZ_TARGETS } from './targets.ts';

/** For each fuzzer. CI gives each 30 s. */
const DEFAULT_SECONDS = 600;

const HELP = `usage: npm run fuzz -- [NAME...] [flags]

Feeds what is broken, hostile or random, and checks what must hold. Without names all fuzzers run, one after the other:

${FUZZ_TARGETS.map(({ name, about }) => `  ${name.padEnd(16)}${about}`).join('\n')}

      --seconds N   how long each runs, default ${DEFAULT_SECONDS}
      --inputs N    ends a fuzzer earlier, after so many inputs; 1e7 is a number too
      --seed S      of the first case, default random; case n has the seed S + n
      --cases N     ends a fuzzer earlier, after so many cases: with --seed, 1 replays a finding
  -h, --help        this text

Exit code: 0 all held; 1 something did not, and is shown with the command that replays it; 2 wrong command line.
`;

const FLAGS = {
  seconds: { type: 'string' },
  inputs: { type: 'string' },
  seed: { type: 'string' },
  cases: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

class Usage extends Error {}

interface CommandLine {
  readonly help: boolean;
  readonly targets: readonly FuzzTarget[];
  readonly options: FuzzOptions;
}

function wholeNumber(
  flag: string,
  text: string | undefined,
  max = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text !== '' && Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new Usage(`--${flag} is '${text}': wants a whole number up to ${max}`);
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true, strict: true });
  } catch (error) {
    throw new Usage(error instanceof Error ? error.message : String(error));
  }
}

function read(argv: readonly string[]): CommandLine {
  const { values, positionals } = parse(argv);
  const unknown = positionals.filter((name) => !FUZZ_TARGETS.some((target) => target.name === name));
  if (unknown.length > 0)
    throw new Usage(
      `there is no fuzzer ${unknown.join(', ')}; there is ${FUZZ_TARGETS.map(({ name }) => name).join(', ')}`,
    );
  const maxInputs = wholeNumber('inputs', values.inputs);
  const maxCases = wholeNumber('cases', values.cases);
  return {
    help: values.help ?? false,
    targets: FUZZ_TARGETS.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
    options: {
      seed: wholeNumber('seed', values.seed, SEEDS - 1) ?? Math.floor(Math.random() * SEEDS),
      seconds: wholeNumber('seconds', values.seconds) ?? DEFAULT_SECONDS,
      ...(maxInputs === undefined ? {} : { maxInputs }),
      ...(maxCases === undefined ? {} : { maxCases }),
      progress: (report) => process.stdout.write(`${reportLine(report)}\n`),
    },
  };
}

async function main(argv: readonly string[]): Promise<number> {
  const { help, targets, options } = read(argv);
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  let code = 0;
  for (const target of targets) {
    process.stdout.write(`${target.name}: seed ${options.seed}\n`);
    const report = await runTarget(target, options);
    process.stdout.write(`${reportLine(report)}\n`);
    if (report.finding === undefined) continue;
    process.stdout.write(`${findingText(target.name, report.finding)}\n`);
    code = 1;
  }
  return code;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Usage)) throw error;
  process.stderr.write(`fuzz: ${error.message} (see npm run -s fuzz -- --help)\n`);
  process.exitCode = 2;
}
