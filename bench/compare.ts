/**
 * Compares this checkout with another one, such as the commit before: the benchmarks of both in turn, each with its own
 * sidecar, injector, redirect and loads.
 *
 *   node bench/compare.ts FOLDER_OF_THE_OTHER [--rounds N] [--only FIGURE,…]
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../common/errno.ts';
import { FIGURES } from './figures/catalogue.ts';
import { SLUICE } from './paths/catalogue.ts';
import { compareRounds, describeComparison } from './report/comparison.ts';
import type { Results } from './report/results.ts';

const THIS = join(import.meta.dirname, '..');

const HELP = `usage: npx node bench/compare.ts FOLDER [--rounds N] [--only FIGURE,…]

Compares this checkout with the one in FOLDER, which has been prepared by \`npm run bootstrap\`. Runs the benchmarks of
both in turn on Sluice's own path, and prints how this one's figures compare. Needs root and a machine that does nothing
else. A round takes about a minute and a half.

      --rounds N        pairs of runs, default 6
      --only FIGURE,…   of ${FIGURES.map(({ name }) => name).join(', ')};
                        default: those that a quick run has
  -h, --help            this text

Exit code: 0 measured, also with bad figures; 1 something failed; 2 wrong command line.
`;

const DEFAULT_ROUNDS = '6';
const MOST_ROUNDS = 99;

/** Runs of each figure in one run of the benchmarks; their median counts. */
const RUNS_A_ROUND = '3';

const USAGE = 2;

function progress(line: string): void {
  process.stderr.write(`compare: ${line}\n`);
}

/** Runs the benchmarks of a checkout, by its own Node. @throws Error when they fail; they have said why */
function measure(folder: string, only: string | undefined): Promise<Results> {
  const argv = ['bench/main.ts', '--quick', '--rounds', RUNS_A_ROUND, '--paths', SLUICE];
  const node = join(folder, 'node_modules/.bin/node');
  const child = spawn(node, [...argv, ...(only === undefined ? [] : ['--only', only])], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(output) as Results);
      else reject(new Error(`the benchmarks in ${folder} failed with exit code ${code}`));
    });
  });
}

async function compare(other: string, rounds: number, only: string | undefined): Promise<void> {
  const before: Results[] = [];
  const after: Results[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const pair = [
      { name: 'the other', folder: other, results: before },
      { name: 'this one', folder: THIS, results: after },
    ];
    // Neither is always the first.
    for (const { name, folder, results } of round % 2 === 0 ? pair : pair.toReversed()) {
      progress(`round ${round + 1}/${rounds}: ${name}, ${folder}`);
      results.push(await measure(folder, only));
    }
  }
  process.stdout.write(describeComparison(compareRounds(before, after, SLUICE)));
}

function usage(message: string): void {
  progress(`${message} (see npx node bench/compare.ts --help)`);
  process.exitCode = USAGE;
}

async function main(argv: readonly string[]): Promise<void> {
  const options = {
    rounds: { type: 'string' },
    only: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    return usage(messageOf(error));
  }
  const { rounds = DEFAULT_ROUNDS, only, help } = parsed.values;
  if (help) return void process.stdout.write(HELP);
  const [other, ...more] = parsed.positionals;
  if (other === undefined || more.length > 0) return usage('wants one folder');
  if (!existsSync(join(other, 'bench/main.ts')))
    return usage(`${other} is no checkout: it has no bench/main.ts`);
  if (!existsSync(join(other, 'node_modules/.bin/node')))
    return usage(`${other} is not prepared: run \`npm run bootstrap\` there`);
  if (!/^\d+$/.test(rounds) || Number(rounds) < 1 || Number(rounds) > MOST_ROUNDS)
    return usage(`--rounds is '${rounds}': wants a whole number 1-${MOST_ROUNDS}`);
  await compare(other, Number(rounds), only);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  progress(`error: ${messageOf(error)}`);
  process.exitCode = 1;
});
