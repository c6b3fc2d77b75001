/** `sluice can`: whether NetworkPolicy lets one end open a flow to the other, answered from manifests alone. */
import { createReadStream } from 'node:fs';
import { styleText } from 'node:util';
import { SluiceError } from '../../common/errors.ts';
import { type Manifests, problemLines, readManifests } from '../../sources/index.ts';
import { complain, createOutput, type Output } from '../output.ts';
import { describeAddressConflicts } from './address_conflicts.ts';
import type { Answer } from './answer.ts';
import { answerJson } from './answer_json.ts';
import { answerExplanation, answerLine } from './answer_text.ts';
import { type Answerer, createAnswerer } from './answerer.ts';
import { answerLineOfBatch } from './batch_line.ts';
import { CAN_HELP, type CanCommand, readCanCommand } from './can_options.ts';
import { forgottenDns } from './forgotten_dns.ts';
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
  const manifests = await readManifests(command.paths, { namespace: command.namespace });
  const usable = reportProblems(manifests, command.ignoreErrors);
  if (!usable) return EXIT.error;
  const answerer = createAnswerer(manifests, {
    ...(command.namespace === undefined ? {} : { namespace: command.namespace }),
    suggest: command.kind === 'single',
  });
  return command.kind === 'single'
    ? await runSingle(command, manifests, answerer, stdout)
    : await runBatch(command.input, answerer, stdout);
}

/** Prints every problem. @returns whether an answer may be given. */
function reportProblems(manifests: Manifests, ignoreErrors: boolean): boolean {
  let usable = true;
  for (const { severity, text } of problemLines(manifests.problems)) {
    const fatal = severity === 'error' && !ignoreErrors;
    if (fatal) usable = false;
    complain(`sluice: ${fatal ? '' : 'warning: '}${text}`);
  }
  for (const conflict of describeAddressConflicts(manifests)) complain(`sluice: warning: ${conflict}`);
  return usable;
}

async function runSingle(
  command: Extract<CanCommand, { kind: 'single' }>,
  manifests: Manifests,
  answerer: Answerer,
  stdout: Output,
): Promise<number> {
  const { from, to } = command.question;
  const answer = answerer.answer(command.question);
  for (const note of answer.notes) complain(`sluice: note: ${note}`);
  if (command.output === 'json') {
    const question = { from, to, port: answer.askedPort, protocol: answer.protocol };
    await stdout.write(`${JSON.stringify({ ...question, ...answerJson(answer) }, null, 2)}\n`);
  } else {
    await stdout.write(answerLine(answer), verdictWord(answer.verdict));
    if (command.explain)
      await stdout.write(answerExplanation(answer, forgottenDns(manifests, answer.source.pod)));
  }
  return answer.verdict === 'allow' ? EXIT.allowed : EXIT.denied;
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

/** Coloured only on a terminal, and not with NO_COLOR. */
function verdictWord(verdict: Answer['verdict']): string {
  const [colour, word] = VERDICT_WORDS[verdict];
  return styleText(colour, word, { stream: process.stdout });
}

const VERDICT_WORDS = {
  allow: ['green', 'allowed'],
  deny: ['red', 'denied'],
  partly: ['yellow', 'partly'],
} as const;
