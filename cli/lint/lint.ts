/** `sluice lint`: what in policies does not do what it says. */
import { readFileSync } from 'node:fs';
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import {
  explainRule,
  lint,
  type Parted,
  RULES,
  reaches,
  ruleOf,
  suppress,
  withoutBaseline,
} from '../../lint/index.ts';
import { INPUT_PATH } from '../../sources/index.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import { extentOf } from '../extent.ts';
import { type Input, readInput, wholeCluster } from '../input/index.ts';
import { writeLines } from '../lines.ts';
import { isOfPolicy, reportNotes, reportUnread } from '../problems.ts';
import { surplusWord } from '../surplus_word.ts';
import { LINT_FLAGS, LINT_HELP, LINT_HELP_END, type LintCommand, lintCommand } from './lint_options.ts';
import { writeMends } from './mend.ts';
import { reportText } from './report_text.ts';

/**
 * Runs the command: reads what follows `sluice lint`, prints to the process's output, and resolves to the exit code.
 * @throws SluiceError `USAGE`, `MANIFEST_UNREADABLE`, and those of `readInput`
 */
export const runLint = createCommand({
  name: 'lint',
  help: LINT_HELP,
  flags: LINT_FLAGS,
  afterFlags: LINT_HELP_END,
  wanted: () => 0,
  run: async (values, context) => {
    const code = values.text('explain');
    if (code !== undefined) {
      await context.stdout.write(explained(code));
      return EXIT.yes;
    }
    const [surplus] = values.positionals;
    if (surplus !== undefined)
      throw new SluiceError('USAGE', `${surplusWord(surplus)} (see sluice lint --help)`);
    return await run(lintCommand(values), context);
  },
});

async function run(command: LintCommand, context: CommandContext): Promise<number> {
  const { input } = command;
  const hasFiles = input.kind === 'files' && !input.paths.includes(INPUT_PATH);
  if (command.fix && !hasFiles)
    throw new SluiceError('USAGE', '--fix writes files: name them with -f (see sluice lint --help)');
  let { read, parted, isWhole } = await look(command, context);
  if (command.fix && writeMends(parted.findings, read.manifests.files))
    ({ read, parted, isWhole } = await look(command, context));
  await writeLines(reportText(parted, read.manifests, command), context);
  // What was not read may have more, and may change what was found.
  if (!isWhole) return EXIT.error;
  return reaches(parted.findings, command.failOn) ? EXIT.no : EXIT.yes;
}

/** @throws SluiceError `USAGE` for a code that no rule has */
function explained(code: string): string {
  if (code === 'all')
    return RULES.map((rule) => `${rule.code}  ${rule.severity.padEnd(7)}  ${rule.title}\n`).join('');
  const rule = ruleOf(code);
  if (rule !== undefined) return explainRule(rule);
  const [first, last] = [RULES[0]?.code, RULES.at(-1)?.code];
  throw new SluiceError(
    'USAGE',
    `there is no rule ${code}: they are ${first} to ${last} (--explain all lists them)`,
  );
}

async function look(
  { input, baseline, ignoreErrors }: LintCommand,
  context: CommandContext,
): Promise<{ readonly read: Input; readonly parted: Parted; readonly isWhole: boolean }> {
  const read = await readInput(input, wholeCluster, context);
  context.progress.end();
  reportNotes(read.notes);
  const { manifests, places, namespace } = read;
  // What is wrong with policies is among the findings.
  const isWhole = reportUnread(
    manifests.problems.filter((problem) => !isOfPolicy(problem)),
    ignoreErrors,
  );
  const found = lint({
    manifests,
    places,
    extent: extentOf(read),
    now: Date.now(),
    namespaceGiven: namespace !== undefined,
    beforeAnswer: context.checkTime,
  });
  const findings = found.filter(({ object }) => isAsked(object.key, input, namespace));
  const parted = suppress(findings, manifests.files);
  return {
    read,
    // What a cluster or a lab has was read by it before.
    isWhole: isWhole || read.origin.kind !== 'files',
    parted: baseline === undefined ? parted : withoutBaseline(parted, readBaseline(baseline), baseline),
  };
}

/** Of a cluster one namespace is asked about, as with kubectl; files and labs are as large as they are. */
function isAsked(key: string, input: LintCommand['input'], namespace: string | undefined): boolean {
  if (input.kind !== 'cluster' || input.allNamespaces || namespace === undefined) return true;
  return key.startsWith(`${namespace}/`);
}

/** @throws SluiceError `USAGE` */
function readBaseline(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError('USAGE', `--baseline cannot be read: ${messageOf(cause)}`, { cause });
  }
}
