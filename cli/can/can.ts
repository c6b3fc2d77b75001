/** `sluice can`: whether NetworkPolicy lets one end open a flow to the other, answered from manifests alone. */
import { createReadStream } from 'node:fs';
import { styleText } from 'node:util';
import { describeProblem, type Manifests, readManifests } from '../../injector/manifests.ts';
import { SluiceError } from '../../policy/errors.ts';
import { describeAddressConflicts } from './address_conflicts.ts';
import { type Answerer, createAnswerer } from './answer.ts';
import { answerJson } from './answer_json.ts';
import { answerExplanation, answerLine, type Emphasis } from './answer_text.ts';
import { answerLineOfBatch } from './batch_line.ts';
import { CAN_HELP, type CanCommand, readCanCommand } from './can_options.ts';
import { createOutput, type Output } from './output.ts';
import { linesByChunk } from './text_lines.ts';

/** What the process ends with. */
const EXIT = { allowed: 0, denied: 1, error: 2 } as const;

/**
 * Runs the command: reads `argv` (what follows `sluice can`), prints to the process's output, and resolves to the
 * exit code. Faults of the manifests are printed here, a line each.
 * @throws SluiceError `USAGE`, `MANIFEST_UNREADABLE`, `ENDPOINT_*`, `PORT_*`, `OBJECT_INVALID`, `QUESTION_INVALID` or
 * `BATCH_UNREADABLE`; the caller prints its message and exits 2.
 */
export async function runCan(argv: readonly string[]): Promise<number> {
  return await run(readCanCommand(argv), createOutput(process.stdout));
}

async function run(command: CanCommand, stdout: Output): Promise<number> {
  if (command.kind === 'help') {
    await stdout.write(CAN_HELP);
    return EXIT.allowed;
  }
  const manifests = await readManifests(command.paths);
  const usable = reportProblems(manifests, command.ignoreErrors);
  if (!usable) return EXIT.error;
  const answerer = createAnswerer(manifests, {
    ...(command.namespace === undefined ? {} : { namespace: command.namespace }),
    suggest: command.kind === 'single',
  });
  return command.kind === 'single'
    ? await runSingle(command, answerer, stdout)
    : await runBatch(command.input, answerer, stdout);
}

/** Prints every problem. @returns whether an answer may be given. */
function reportProblems(manifests: Manifests, ignoreErrors: boolean): boolean {
  let usable = true;
  for (const problem of manifests.problems) {
    const fatal = problem.severity === 'error' && !ignoreErrors;
    if (fatal) usable = false;
    process.stderr.write(`sluice: ${fatal ? '' : 'warning: '}${describeProblem(problem)}\n`);
  }
  for (const conflict of describeAddressConflicts(manifests))
    process.stderr.write(`sluice: warning: ${conflict}\n`);
  return usable;
}

async function runSingle(
  command: Extract<CanCommand, { kind: 'single' }>,
  answerer: Answerer,
  stdout: Output,
): Promise<number> {
  const { from, to, port } = command.question;
  const answer = answerer.answer({ from, to, port });
  if (command.output === 'json') {
    const question = { from, to, port: answer.port, protocol: answer.protocol };
    await stdout.write(`${JSON.stringify({ ...question, ...answerJson(answer) }, null, 2)}\n`);
  } else {
    await stdout.write(answerLine(answer, colour));
    if (command.explain) await stdout.write(answerExplanation(answer));
  }
  return answer.flow.verdict === 'allow' ? EXIT.allowed : EXIT.denied;
}

/** Answers line by line: memory does not grow with the input. Empty lines are passed over. */
async function runBatch(input: string, answerer: Answerer, stdout: Output): Promise<number> {
  const stream = input === '-' ? process.stdin : createReadStream(input);
  let number = 0;
  let ok = true;
  try {
    for await (const lines of linesByChunk(stream)) {
      let text = '';
      for (const line of lines) {
        number += 1;
        if (line?.trim() === '') continue;
        const result = answerLineOfBatch(line, number, answerer);
        text += result.text;
        ok &&= result.ok;
      }
      const readerIsThere = await stdout.write(text);
      if (!readerIsThere) break;
    }
  } catch (cause) {
    if (!isReadError(cause)) throw cause;
    throw new SluiceError('BATCH_UNREADABLE', `--batch ${input} cannot be read: ${cause.message}`, { cause });
  }
  return ok ? EXIT.allowed : EXIT.error;
}

function isReadError(error: unknown): error is Error {
  return (
    error instanceof Error && 'syscall' in error && (error.syscall === 'open' || error.syscall === 'read')
  );
}

/** Colour only on a terminal, and not with NO_COLOR. */
const colour: Emphasis = (word, verdict) =>
  styleText(verdict === 'allow' ? 'green' : 'red', word, { stream: process.stdout });
