/** `sluice lab apply` and `delete`. */
import { printable } from '../../common/printable.ts';
import { type ApplyResult, changeLab, checkRoot, Lab } from '../../lab/index.ts';
import { createCommand, EXIT } from '../command.ts';
import { checkCount, FILE_FLAGS, labName, NAME_FLAG, namespaceOf, wantedFiles, warn } from './lab_flags.ts';
import { warnOfPods } from './pod_warnings.ts';

const FLAGS = { ...FILE_FLAGS, ...NAME_FLAG };

const EXIT_CODES =
  'Exit code: 0 every sidecar enforces the outcome, 2 error, 124 the time of --timeout is over: what was changed stays, and\nthe same command goes on with it.\n';

/** Adds or changes objects, and starts what has died. */
export const runApply = createCommand({
  name: 'lab apply',
  help: `usage: sluice lab apply [-f PATH... [-n NAMESPACE]] [--name NAME]

Adds or changes objects, and starts what has died; without -f only that. Returns when every sidecar enforces the outcome.
`,
  flags: FLAGS,
  afterFlags: EXIT_CODES,
  wanted: () => 0,
  async run(values, { stdout, progress }) {
    checkCount(values, 0, 'lab apply');
    const name = labName(values);
    checkRoot();
    progress.say('waiting until every sidecar enforces it');
    const files = values.list('file');
    const result =
      files.length === 0
        ? await changeLab(name, { put: [], remove: [] })
        : await Lab.open(name).apply(files, warn, namespaceOf(values));
    progress.end();
    await stdout.write(resultText(result));
    await warnOfPods(name);
    return EXIT.yes;
  },
});

/** Removes objects. */
export const runDelete = createCommand({
  name: 'lab delete',
  help: `usage: sluice lab delete -f PATH... [-n NAMESPACE] [--name NAME]

Removes the objects that the files name. Returns when every sidecar enforces the outcome.
`,
  flags: FLAGS,
  afterFlags: EXIT_CODES,
  wanted: () => 0,
  async run(values, { stdout, progress }) {
    checkCount(values, 0, 'lab delete');
    checkRoot();
    const name = labName(values);
    progress.say('waiting until every sidecar enforces it');
    const files = wantedFiles(values, '-f FILE', 'lab delete');
    const result = await Lab.open(name).delete(files, warn, namespaceOf(values));
    progress.end();
    await stdout.write(resultText(result));
    await warnOfPods(name);
    return EXIT.yes;
  },
});

function resultText({ changes, started, tablesChanged, enforcedAfterMs }: ApplyResult): string {
  const tables = tablesChanged === 1 ? '1 table changed' : `${tablesChanged} tables changed`;
  return [
    ...changes.map(({ object, action }) => `${object} ${action}`),
    ...started.map((pod) => `pod ${pod} started`),
    `${tables}; in force at every sidecar after ${Math.round(enforcedAfterMs)} ms`,
  ]
    .map((line) => `${printable(line)}\n`)
    .join('');
}
