/** `npm run soak`: the soak of case 30 for as long as asked. */
import { parseArgs } from 'node:util';
import { soak } from './soak.ts';

const HELP = `usage: npm run -s soak -- [--minutes N]

Case 30 of test/faults, for as long as you like: a lab of real sidecars under connects, cuts and ten changes of policies
and labels a second. Compares each verdict with an independent evaluator's, and what the programs hold at the end (file
descriptors, pipes, timers, threads, memory, rules and sets of the gate, tracked connections) with the 10th minute; in a
soak of 10 minutes or less, with the first. Prints a line each minute. Needs root, and two processors with little else to do.

      --minutes N   1-1440, default 30
  -h, --help        this text

Exit code: 0 nothing was found; 1 something was, or it failed; 2 wrong command line.
`;

const DEFAULT_MINUTES = '30';
const MOST_MINUTES = 1440;

/** Exit codes. */
const FOUND = 1;
const USAGE = 2;

async function main(argv: readonly string[]): Promise<number> {
  const options = { minutes: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;
  let values: { minutes?: string; help?: boolean };
  try {
    values = parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
  const { minutes: text = DEFAULT_MINUTES, help } = values;
  if (help) {
    process.stdout.write(HELP);
    return 0;
  }
  const minutes = Number(text);
  if (!/^\d+$/.test(text) || minutes < 1 || minutes > MOST_MINUTES)
    return usage(`--minutes is '${text}': wants a whole number 1-${MOST_MINUTES}`);
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupt.abort());
  const progress = (line: string): void => void process.stdout.write(`${line}\n`);
  const { findings, ...counts } = await soak({ minutes, progress, signal: interrupt.signal });
  progress(
    `${counts.minutes} minutes: ${counts.judged} verdicts, ${counts.certain} of them outside of a change, ` +
      `${counts.changes} changes, ${counts.cut} flows cut, ${counts.held} held to their end; ` +
      `${findings.length === 0 ? 'nothing was found' : `${findings.length} findings:`}`,
  );
  for (const finding of findings) progress(`  ${finding}`);
  return findings.length === 0 ? 0 : FOUND;
}

function usage(message: string): number {
  process.stderr.write(`soak: ${message} (see npm run -s soak -- --help)\n`);
  return USAGE;
}

process.exitCode = await main(process.argv.slice(2));
