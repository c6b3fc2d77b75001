/** `sluice can`: whether NetworkPolicy lets one end open a flow to the other, in files, a lab or the cluster. */
import { createReadStream } from 'node:fs';
import { stringify } from 'yaml';
import { SluiceError } from '../../common/errors.ts';
import type { Manifests } from '../../sources/index.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import { type Input, isPipe, openPipe, readInput } from '../input/index.ts';
import { complain, type Output } from '../output.ts';
import { reportNotes, reportProblems } from '../problems.ts';
import type { Style } from '../terminal/index.ts';
import { describeAddressConflicts } from './address_conflicts.ts';
import type { Answer } from './answer.ts';
import { answerJson, CAN_SCHEMA, portsJson } from './answer_json.ts';
import { answerExplanation, answerLine, blockLines, portLines } from './answer_text.ts';
import { type Answerer, createAnswerer } from './answerer.ts';
import { answerLineOfBatch } from './batch_line.ts';
import {
  CAN_FLAGS,
  CAN_HELP,
  CAN_HELP_END,
  type CanCommand,
  canCommand,
  wantedArguments,
} from './can_options.ts';
import { scopeOf } from './cluster_scope.ts';
import { forgottenDns } from './forgotten_dns.ts';
import { createNearRules } from './near_rules.ts';
import { nearJson, nearLines } from './near_text.ts';
import { linesByChunk } from './text_lines.ts';

/**
 * Runs the command: reads what follows `sluice can`, prints to the process's output, and resolves to the exit code. Faults
 * of the manifests are printed here, a line each.
 * @throws SluiceError `USAGE`, `ENDPOINT_*`, `PORT_*`, `OBJECT_INVALID`, `BATCH_UNREADABLE`, and those of `readInput`
 */
export const runCan = createCommand({
  name: 'can',
  help: CAN_HELP,
  flags: CAN_FLAGS,
  afterFlags: CAN_HELP_END,
  wanted: wantedArguments,
  positionals: ['endpoint', 'endpoint', 'nothing'],
  run: (values, context) => run(canCommand(values), context),
});

async function run(command: CanCommand, context: CommandContext): Promise<number> {
  const input = await readInput(command.input, (namespace) => scopeOf(command, namespace), context);
  context.progress.end();
  const { manifests, namespace } = input;
  const usable = reportFaults(manifests, command.ignoreErrors);
  if (!usable) return EXIT.error;
  reportNotes(input.notes);
  const answerer = createAnswerer(manifests, {
    ...(namespace === undefined ? {} : { namespace }),
    ...(command.toNamespace === undefined ? {} : { toNamespace: command.toNamespace }),
    noun: input.noun,
    unlisted: input.unlisted,
    suggest: command.kind === 'single',
  });
  return command.kind === 'single'
    ? await runSingle(command, input, answerer, context)
    : await runBatch(command.file, answerer, input.notes, context.stdout);
}

/** Prints every problem, addresses that several have among them. @returns whether an answer may be given. */
export function reportFaults(manifests: Manifests, ignoreErrors: boolean): boolean {
  const usable = reportProblems(manifests, ignoreErrors);
  for (const conflict of describeAddressConflicts(manifests)) complain(`sluice: warning: ${conflict}`);
  return usable;
}

async function runSingle(
  command: Extract<CanCommand, { kind: 'single' }>,
  input: Input,
  answerer: Answerer,
  { stdout, style }: CommandContext,
): Promise<number> {
  const { from, to, allPorts } = command.question;
  const isData = command.output === 'json' || command.output === 'yaml';
  const writeData = (data: unknown) =>
    stdout.write(command.output === 'yaml' ? stringify(data) : `${JSON.stringify(data, null, 2)}\n`);
  if (allPorts) {
    const answer = answerer.answerPorts(command.question);
    reportNotes(new Set(answer.ports.flatMap((port) => port.answer.notes)));
    if (isData) await writeData({ schema: CAN_SCHEMA, from, to, ...portsJson(answer, input.notes) });
    else await stdout.write(portLines(answer), verdictWord(answer.verdict, style));
    return answer.verdict === 'allow' ? EXIT.yes : EXIT.no;
  }
  const answer = answerer.answer(command.question);
  reportNotes(answer.notes);
  const rules = createNearRules(input.manifests, input.places).of(answer);
  if (isData) {
    const question = { from, to, port: answer.askedPort, protocol: answer.protocol };
    const near = rules.length === 0 ? {} : { near: nearJson(rules) };
    await writeData({ schema: CAN_SCHEMA, ...question, ...answerJson(answer, input.notes), ...near });
  } else {
    await stdout.write(answerLine(answer, rules), verdictWord(answer.verdict, style));
    if (command.explain)
      await stdout.write(
        answerExplanation(
          answer,
          new Set(rules.map(({ miss }) => miss.direction)),
          forgottenDns(input.manifests, answer.source.pod),
        ),
      );
    await stdout.write(`${nearLines(rules)}${blockLines(answer)}`);
  }
  return answer.verdict === 'allow' ? EXIT.yes : EXIT.no;
}

/** Answers line by line: memory does not grow with the input. Empty lines are passed over. */
async function runBatch(
  file: string,
  answerer: Answerer,
  notes: Input['notes'],
  stdout: Output,
): Promise<number> {
  const opened = isPipe(file) ? openPipe : createReadStream;
  const stream = file === '-' ? process.stdin : opened(file);
  let number = 0;
  let ok = true;
  try {
    for await (const lines of linesByChunk(stream)) {
      let text = '';
      for (const line of lines) {
        number += 1;
        if (line?.trim() === '') continue;
        const result = answerLineOfBatch(line, number, answerer, notes);
        text += result.text;
        ok &&= result.ok;
      }
      const readerIsThere = await stdout.write(text);
      if (!readerIsThere) break;
    }
  } catch (cause) {
    if (!isReadError(cause)) throw cause;
    throw new SluiceError('BATCH_UNREADABLE', `--batch ${file} cannot be read: ${cause.message}`, { cause });
  }
  return ok ? EXIT.yes : EXIT.error;
}

function isReadError(error: unknown): error is Error {
  return (
    error instanceof Error && 'syscall' in error && (error.syscall === 'open' || error.syscall === 'read')
  );
}

function verdictWord(verdict: Answer['verdict'], style: Style): string {
  const [colour, word] = VERDICT_WORDS[verdict];
  return style(colour, word);
}

const VERDICT_WORDS = {
  allow: ['green', 'allowed'],
  deny: ['red', 'denied'],
  partly: ['yellow', 'partly'],
} as const;
