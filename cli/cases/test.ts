/** `sluice test`: whether connections are allowed and denied as a file of cases says. */
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { SluiceError } from '../../common/errors.ts';
import { describePlace } from '../../sources/index.ts';
import { parseEndpointRef, reportFaults, scopeOfEnds } from '../can/index.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import { readInput, type Scope } from '../input/index.ts';
import { complain } from '../output.ts';
import { reportNotes } from '../problems.ts';
import type { Case } from './case.ts';
import { readCaseFiles } from './case_files.ts';
import { refuseCasesAmongObjects } from './case_text.ts';
import { createCaseAnswerer, judgeCases } from './judge.ts';
import type { CaseFault } from './read_cases.ts';
import { writeReport } from './report.ts';
import { countsOf } from './result.ts';
import { TEST_FLAGS, TEST_HELP, TEST_HELP_END, type TestCommand, testCommand } from './test_options.ts';

const runCommand = createCommand({
  name: 'test',
  help: TEST_HELP,
  flags: TEST_FLAGS,
  afterFlags: TEST_HELP_END,
  wanted: () => 0,
  run: async (values, context) => await run(await testCommand(values, context), context),
});

/**
 * Runs the command: reads what follows `sluice test`, prints to the process's output, and resolves to the exit code.
 * @throws SluiceError `USAGE`, `INPUT_TOO_LARGE`, those of `readInput`, and in a lab those of the lab
 */
export const runTest = Object.assign(
  async (argv: readonly string[]): Promise<number> => {
    if (argv.includes('--live'))
      throw new SluiceError(
        'USAGE',
        'there is no --live: sluice sends no packets in a cluster. Without it the engine judges the objects of the cluster; ' +
          'real packets are for a lab (--lab NAME)',
      );
    return await runCommand(argv);
  },
  { shape: runCommand.shape },
);

/** Faults that are printed; more are only counted. */
const MAX_FAULTS = 100;

async function run(command: TestCommand, context: CommandContext): Promise<number> {
  const { input: choice, standardInput } = command;
  // A kubeconfig's context has a namespace, whichever it is.
  const isNamespaceKnown = choice.namespace !== undefined || choice.kind === 'cluster';
  const { cases, faults } = readCaseFiles(command.cases, isNamespaceKnown);
  if (faults.length > 0) {
    reportCaseFaults(faults);
    return EXIT.error;
  }
  const input = await readInput(choice, (namespace) => scopeOf(cases, namespace), {
    ...context,
    ...(standardInput === undefined ? {} : { standardInput: Readable.from([standardInput]) }),
  });
  context.progress.end();
  // A folder's files of cases are no manifests, which nobody has to be told.
  const own = new Set(command.cases.map(({ file }) => resolve(file)));
  const isOther = ({ file }: { readonly file: string }) => !own.has(resolve(file));
  if (choice.kind === 'files') refuseCasesAmongObjects(input.manifests.files.filter(isOther));
  const problems = input.manifests.problems.filter(isOther);
  if (!reportFaults({ ...input.manifests, problems }, command.ignoreErrors)) return EXIT.error;
  reportNotes(input.notes);
  const answerer = createCaseAnswerer(input, cases.length);
  const lab = choice.kind === 'lab' ? choice.lab : undefined;
  let results = await judgeCases(cases, input, answerer, context);
  // The lab is read only where it is used, as it takes a tenth of a second to load.
  if (lab !== undefined)
    results = await (await import('./packets/index.ts')).tryCases(results, lab, answerer, context);
  context.progress.end();
  await writeReport({ results, notes: input.notes, ...(lab === undefined ? {} : { lab }) }, command, context);
  const { failed, errors } = countsOf(results);
  if (errors > 0) return EXIT.error;
  return failed > 0 ? EXIT.no : EXIT.yes;
}

function scopeOf(cases: readonly Case[], fallback: string): Scope {
  const refs = cases.flatMap(({ question, namespace = fallback }) =>
    [question.from, question.to].map((end) =>
      parseEndpointRef(end, { namespace, hasNamespace: () => false }),
    ),
  );
  return scopeOfEnds(refs, [fallback]);
}

function reportCaseFaults(faults: readonly CaseFault[]): void {
  for (const fault of faults.slice(0, MAX_FAULTS))
    complain(`sluice: ${describePlace(fault)}: ${fault.message}`);
  if (faults.length > MAX_FAULTS) complain(`sluice: and ${faults.length - MAX_FAULTS} more faults`);
}
