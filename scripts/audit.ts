/**
 * `npm run audit`: asks the registry whether the packages that are installed are signed as it published them, and whether
 * anything is known against those that package-lock.json pins.
 * Exit codes: 0 nothing found, 1 something found, 2 nothing found, but the registry did not answer everything.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type Outcome, readAdvisories, readSignatures } from './audit/outcome.ts';

const ROOT = join(import.meta.dirname, '..');

/** Of one question, ms: npm asks for each package, and tries again by itself. */
const TIMEOUT_MS = 300_000;

const QUESTIONS = [
  { name: 'signatures', args: ['audit', 'signatures', '--json'], read: readSignatures },
  { name: 'advisories', args: ['audit', '--json'], read: readAdvisories },
] as const;

const outcomes = QUESTIONS.map(({ name, args, read }): Outcome => {
  const { status, stdout, stderr, error } = spawnSync('npm', args, {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 2 ** 26,
  });
  const outcome = error === undefined ? believed(read(stdout, stderr), status) : unanswered(error.message);
  for (const line of outcome.lines) process.stdout.write(`${name}: ${line}\n`);
  return outcome;
});

process.exitCode = outcomes.some(({ kind }) => kind === 'found')
  ? 1
  : outcomes.some(({ kind }) => kind === 'unanswered')
    ? 2
    : 0;

/** A good report of an npm that failed is none. */
function believed(outcome: Outcome, status: number | null): Outcome {
  return outcome.kind === 'fine' && status !== 0 ? unanswered(`exit code ${status}`) : outcome;
}

function unanswered(why: string): Outcome {
  return { kind: 'unanswered', lines: [`npm did not end as it should, nothing was checked: ${why}`] };
}
