/**
 * `sluice __complete WORD...`: what the last word, which may be empty, could become. The answer is that of cobra, which kubectl asks
 * its plugins for: a candidate a line, a tab and what it is, and last `:4`, or `:0` where files are candidates too.
 * Source: cobra, "completions"; kubectl, "kubectl_complete-<plugin>".
 */
import { setTimeout as wait } from 'node:timers/promises';
import { printable } from '../../common/printable.ts';
import { type CommandEntry, EXIT } from '../command.ts';
import { createOutput } from '../output.ts';
import { type Candidate, expectedAt } from './expected.ts';
import { namesOf } from './names.ts';

/** Candidates that a shell gets: more than this nobody reads, and a large cluster has 100,000 pods. */
const MAX_CANDIDATES = 1_000;

/**
 * What no shell gives a meaning. bash, and kubectl for bash, put candidates on the line as they are, where `$(…)` in a name of somebody
 * else's manifest would run. Names of objects have nothing else; a context that has is left to be written by hand.
 */
const PLAIN = /^[\p{L}\p{N}._:/@%+=,-]+$/u;

/** All together, ms: 3 s of the program by which a kubeconfig gets its token, 1.5 s of a cluster, and what a start takes. */
const PATIENCE_MS = 5_000;

/** What may follow. */
interface Offered {
  readonly candidates: readonly Candidate[];
  /** Whether files may, too. */
  readonly files: boolean;
}

const NONE: Offered = { candidates: [], files: false };

/** Nothing goes wrong aloud: people are in the midst of writing. */
export async function complete(commands: readonly CommandEntry[], argv: readonly string[]): Promise<number> {
  const stdout = createOutput(process.stdout);
  const current = argv.at(-1) ?? '';
  const { candidates, files } = await Promise.race([
    candidatesFor(commands, argv).catch(() => NONE),
    wait(PATIENCE_MS, NONE),
  ]);
  const lines = candidates
    .filter(({ value }) => value.startsWith(current) && PLAIN.test(value))
    .slice(0, MAX_CANDIDATES)
    .map(({ value, what }) => `${value}${what === undefined ? '' : `\t${printable(what)}`}\n`);
  await stdout.write(`${lines.join('')}${files ? ':0' : ':4'}\n`);
  // A cluster may still be waited for.
  setImmediate(() => process.exit());
  return EXIT.yes;
}

async function candidatesFor(commands: readonly CommandEntry[], argv: readonly string[]): Promise<Offered> {
  const expected = await expectedAt(commands, argv);
  const { prefix, kind } = expected;
  const found = typeof kind === 'string' ? await namesOf(kind, expected.values) : kind;
  return {
    candidates: found.map(({ value, ...more }) => ({ value: `${prefix}${value}`, ...more })),
    files: kind === 'file' || kind === 'command',
  };
}
