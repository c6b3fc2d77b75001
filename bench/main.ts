/** Entry of the benchmarks: `npm run bench`. */

import { messageOf } from '../common/errno.ts';
import { SluiceError } from '../common/errors.ts';
import { checkPrerequisites } from '../lab/index.ts';
import { runCli } from './cli/run.ts';
import { FIGURES } from './figures/catalogue.ts';
import type { Scale } from './figures/figure.ts';
import { type BenchOptions, benchHelp, type Choices, readBenchOptions } from './options.ts';
import { allPaths, SLUICE } from './paths/catalogue.ts';
import { waitForQuiet } from './quiet/watch.ts';
import { documentOf, printed } from './report/document.ts';
import { describeMachine } from './report/machine.ts';
import { record } from './report/recorded.ts';
import type { Results } from './report/results.ts';
import { Rig } from './rig/rig.ts';
import { runScale } from './scale/run.ts';
import { measureAll, pathsOf } from './suite.ts';
import { defaultSidecar, envoyBinary, installTools, makeBundle } from './tools.ts';

/** Exit codes. */
const FAILED = 1;
const USAGE = 2;
const INTERRUPTED = 130;

const FULL: Scale = { name: 'full', rounds: 5, seconds: 2 };
/** Three minutes on two processors. */
const QUICK: Scale = { name: 'quick', rounds: 3, seconds: 1 };

const PATHS = allPaths(envoyBinary());
const CHOICES: Choices = {
  figures: FIGURES.map((figure) => figure.name),
  paths: PATHS.map((path) => path.name),
};

function progress(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

async function run(options: BenchOptions, signal: AbortSignal): Promise<Results> {
  const { quick } = options;
  const paths = PATHS.filter(({ name, variant }) => options.paths?.includes(name) ?? !(quick && variant));
  const figures = FIGURES.filter(({ name, slow }) => options.figures?.includes(name) ?? !(quick && slow));
  const base = quick ? QUICK : FULL;
  const scale = { ...base, rounds: options.rounds ?? base.rounds };
  checkPrerequisites();
  installTools([...figures, ...paths].flatMap(({ tools = [] }) => tools));
  const machine = describeMachine(envoyBinary());
  const othersBefore = await waitForQuiet(progress, signal);
  const startedAt = new Date();
  const sidecar = options.sidecar ?? defaultSidecar();
  const suite = { figures, paths, scale, progress };
  const rig = await Rig.open({
    name: `bench-${process.pid}`,
    paths: pathsOf(suite),
    sidecarMain: sidecar === 'bundle' ? makeBundle() : undefined,
    signal,
    progress,
  });
  try {
    const outcome = await measureAll(rig, suite);
    return {
      startedAt: startedAt.toISOString(),
      seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
      scale: scale.name,
      rounds: scale.rounds,
      sidecar,
      subject: SLUICE,
      maxFlows: rig.maxFlows,
      gateBeforePeers: true,
      machine: { ...machine, othersBefore, congestionControl: rig.congestionControl },
      paths: Object.fromEntries(pathsOf(suite).map(({ name, label }) => [name, label])),
      ...outcome,
    };
  } finally {
    await rig.close();
  }
}

/** What enforcement costs. Returns whether all was measured. */
async function runCost(argv: readonly string[], signal: AbortSignal): Promise<boolean> {
  const options = readBenchOptions(argv, CHOICES);
  if (options.help) {
    process.stdout.write(benchHelp(CHOICES));
    return true;
  }
  const results = await run(options, signal);
  if (options.docs) record(results);
  process.stdout.write(printed(documentOf(results)));
  return Object.keys(results.failed).length === 0;
}

/** Returns whether all was measured. */
async function runOne(argv: readonly string[], signal: AbortSignal): Promise<boolean> {
  switch (argv[0]) {
    case 'scale':
      return await runScale(argv.slice(1), signal, progress);
    case 'cli':
      return await runCli(argv.slice(1), signal, progress);
    default:
      return await runCost(argv, signal);
  }
}

async function main(argv: readonly string[]): Promise<void> {
  const interrupt = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupt.abort());
  const { signal } = interrupt;
  try {
    if (!(await runOne(argv, signal))) process.exitCode = FAILED;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    progress('interrupted; what was built has been removed');
    process.exitCode = INTERRUPTED;
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const known = error instanceof SluiceError;
  const message = messageOf(error);
  progress(`error: ${known ? `${error.code}: ${message}` : message}`);
  process.exitCode = known && error.code === 'USAGE' ? USAGE : FAILED;
});
