/** `sluice observe`: who has talked to whom, and what was denied. */
import { stringify } from 'yaml';
import { SluiceError, unreachable } from '../../common/errors.ts';
import type { FlowQuestion, ObservedAnswer } from '../../flows/index.ts';
import { DEFAULT_NAMESPACE } from '../../policy/index.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import { type AskedEnd, askedEnds, fullEnd, type OpenedFlows, openFlows } from '../flows/index.ts';
import { didYouMean } from '../likeness.ts';
import { writeLines } from '../lines.ts';
import { reportNotes } from '../problems.ts';
import { canCommand } from './can_command.ts';
import {
  OBSERVE_FLAGS,
  OBSERVE_HELP,
  OBSERVE_HELP_END,
  type ObserveCommand,
  observeCommand,
} from './observe_options.ts';
import { explainedLines, followedLine, observedText, tableLines } from './observe_text.ts';
import { type Row, rowsOf } from './rows.ts';

/** Names the form: docs/schema/observe.v1.json. */
export const OBSERVE_SCHEMA = 'sluice.dev/observe/v1';

/** Rows of text, where nothing else is said. */
const ROWS = 50;

/**
 * Runs the command: reads what follows `sluice observe`, prints to the process's output, and resolves to the exit code.
 * @throws SluiceError `USAGE`, and those of `openFlows` and `FlowSource`
 */
export const runObserve = createCommand({
  name: 'observe',
  help: OBSERVE_HELP,
  flags: OBSERVE_FLAGS,
  afterFlags: OBSERVE_HELP_END,
  wanted: () => 0,
  run: (values, context) => run(observeCommand(values), context),
});

async function run(command: ObserveCommand, context: CommandContext): Promise<number> {
  // A wrong word is said before anything is opened.
  questionOf(command, { namespace: command.flows.namespace ?? DEFAULT_NAMESPACE });
  const opened = await openFlows(command.flows, context);
  try {
    const question = questionOf(command, opened);
    if (command.follow) return await follow(command, question, opened, context);
    const answer = await opened.source.ask(question);
    context.progress.end();
    if (answer.flows.length === 0) reportNotes(await hints(command, question, opened));
    return await print(command, answer, context);
  } finally {
    opened.source.close();
  }
}

function questionOf(
  { from, to, policies, question, output, limit }: ObserveCommand,
  { namespace, namespaces }: Pick<OpenedFlows, 'namespace' | 'namespaces'>,
): FlowQuestion {
  const ends = (texts: readonly string[], flag: string): readonly AskedEnd[] =>
    texts.flatMap((text) => askedEnds(text, namespace, flag));
  return {
    ...question,
    ...(namespaces === undefined ? {} : { namespaces }),
    ...(from.length === 0 ? {} : { from: ends(from, '--from') }),
    ...(to.length === 0 ? {} : { to: ends(to, '--to') }),
    ...(policies.length === 0 ? {} : { policies: policies.map((name) => policyKey(name, namespace)) }),
    ...(limit === undefined || output === 'text' || output === 'wide' ? {} : { limit }),
  };
}

/** `namespace/name`. */
function policyKey(name: string, namespace: string | undefined): string {
  const parts = name.replace(/(^|\/)(netpol|networkpolicy|networkpolicies)\//, '$1').split('/');
  if (parts.length === 2 && !parts.includes('')) return parts.join('/');
  if (parts.length === 1 && parts[0] && namespace !== undefined) return `${namespace}/${parts[0]}`;
  throw new SluiceError('USAGE', `--policy is '${name}': wants NAMESPACE/NAME, or NAME with -n NAMESPACE`);
}

async function follow(
  { output }: ObserveCommand,
  question: FlowQuestion,
  { source }: OpenedFlows,
  context: CommandContext,
): Promise<number> {
  for await (const flow of source.follow(question, context.signal)) {
    const isThere =
      output === 'ndjson'
        ? await context.stdout.write(`${JSON.stringify(flow)}\n`)
        : await writeLine(followedLine(flow, output === 'wide'), context);
    if (!isThere) break;
  }
  return EXIT.yes;
}

async function writeLine(
  one: ReturnType<typeof followedLine>,
  { stdout, style }: CommandContext,
): Promise<boolean> {
  return await stdout.write(one.text, one.lead === undefined ? '' : style(one.lead.format, one.lead.word));
}

async function print(
  command: ObserveCommand,
  answer: ObservedAnswer,
  context: CommandContext,
): Promise<number> {
  const { output, question, headers, nowMs, limit = ROWS, explain } = command;
  switch (output) {
    case 'json':
      await context.stdout.write(`${JSON.stringify({ schema: OBSERVE_SCHEMA, ...answer }, null, 2)}\n`);
      return EXIT.yes;
    case 'yaml':
      await context.stdout.write(
        stringify({ schema: OBSERVE_SCHEMA, ...answer }, { aliasDuplicateObjects: false }),
      );
      return EXIT.yes;
    case 'ndjson':
      for (const flow of answer.flows) if (!(await context.stdout.write(`${JSON.stringify(flow)}\n`))) break;
      // It is no flow: a reader of lines shall not have to know it.
      reportNotes([observedText(answer, question)]);
      return EXIT.yes;
    case 'text':
    case 'wide': {
      const each = output === 'wide' || question.groupBy !== undefined;
      const rows = rowsOf(answer.flows, each);
      if (explain === undefined) {
        await writeLines(
          tableLines(rows, answer, question, { wide: output === 'wide', headers, nowMs, limit }),
          context,
        );
        return EXIT.yes;
      }
      const row = rowNumber(rows, explain);
      await writeLines(
        explainedLines(row, explain, (edge) => canCommand(edge, command.flows)),
        context,
      );
      return EXIT.yes;
    }
    default:
      return unreachable(output);
  }
}

function rowNumber(rows: readonly Row[], number: number): Row {
  const row = rows[number - 1];
  if (row !== undefined) return row;
  const has = rows.length === 0 ? 'there are no flows' : `there are ${rows.length} rows`;
  throw new SluiceError('USAGE', `--explain ${number}: ${has} (the flags have to be those of the table)`);
}

/** Where nothing fits the names of ends: those that are like them. */
async function hints(
  command: ObserveCommand,
  question: FlowQuestion,
  { source }: OpenedFlows,
): Promise<readonly string[]> {
  const isGone = command.flows.kind === 'lines' && command.flows.path === '-';
  const wanted = [...command.from, ...command.to];
  if (isGone || wanted.length === 0 || question.not !== undefined) return [];
  const { namespaces } = question;
  const all = await source.ask({
    since: question.since,
    until: question.until,
    ...(namespaces === undefined ? {} : { namespaces }),
  });
  const ends = all.flows.flatMap(({ src, dst }) => [src, dst]);
  const known = new Set(
    ends.flatMap((end) => {
      const { namespace, workload } = end;
      if (namespace === undefined || workload === undefined) return [fullEnd(end)];
      const name = workload.slice(workload.indexOf('/') + 1);
      return [name, `${namespace}/${name}`, workload, `${namespace}/${workload}`];
    }),
  );
  return wanted.flatMap((text) => {
    if (known.has(text)) return [];
    const hint = didYouMean(text, known);
    return hint === '' ? [] : [`no flow is to or from ${text}${hint}`];
  });
}
