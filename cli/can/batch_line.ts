/** One line of `--batch`: a question in JSON becomes an answer, or an error in its place. */
import { SluiceError } from '../../common/errors.ts';
import { anything, isRecord } from '../../common/shape.ts';
import type { Question } from './answer.ts';
import { answerJson, CAN_SCHEMA } from './answer_json.ts';
import type { Answerer } from './answerer.ts';
import { hasServicePort, splitServiceProtocol } from './endpoint_ref.ts';
import { MAX_LINE_CHARACTERS } from './text_lines.ts';

/** What a line became. */
export interface BatchResult {
  /** One line of JSON, newline included. */
  readonly text: string;
  readonly ok: boolean;
}

/**
 * Never throws for what a line holds.
 * @param line undefined for one that is too long
 * @param number 1-based, for the error object
 * @param inputNotes what could not be read, for the notes of each answer
 */
export function answerLineOfBatch(
  line: string | undefined,
  number: number,
  answerer: Answerer,
  inputNotes: readonly string[],
): BatchResult {
  let fields: Readonly<Record<string, unknown>> = {};
  try {
    if (line === undefined) throw invalid(`the line is longer than ${MAX_LINE_CHARACTERS} characters`);
    fields = parseFields(line);
    const answer = answerer.answer(readQuestion(fields));
    const { from, to, port, protocol, ...rest } = fields;
    const echo = {
      schema: CAN_SCHEMA,
      from,
      to,
      port: port ?? answer.askedPort,
      protocol: protocol ?? answer.protocol,
      ...rest,
    };
    return { text: `${JSON.stringify({ ...echo, ...answerJson(answer, inputNotes) })}\n`, ok: true };
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    const problem = { error: error.message, code: error.code, line: number };
    return { text: `${JSON.stringify({ schema: CAN_SCHEMA, ...fields, ...problem })}\n`, ok: false };
  }
}

function parseFields(line: string): Readonly<Record<string, unknown>> {
  const value = anything.readJson(line, 'the line', invalid);
  if (!isRecord(value)) throw invalid('wants a JSON object with from, to, port and protocol');
  return value;
}

function readQuestion(fields: Readonly<Record<string, unknown>>): Question {
  const protocol = fields.protocol ?? undefined;
  if (protocol !== undefined && typeof protocol !== 'string')
    throw invalid('protocol wants a text: TCP, UDP or SCTP');
  const { end: to, protocol: own } = splitServiceProtocol(readText(fields, 'to'));
  if (own !== undefined && protocol !== undefined) throw invalid(`protocol is in to too, as '${own}'`);
  const wanted = own ?? protocol;
  return {
    from: readText(fields, 'from'),
    to,
    ...(fields.port === undefined && hasServicePort(to) ? {} : { port: readPort(fields.port) }),
    ...(wanted === undefined ? {} : { protocol: wanted }),
  };
}

function readText(fields: Readonly<Record<string, unknown>>, name: 'from' | 'to'): string {
  const value = fields[name];
  if (typeof value === 'string') return value;
  throw invalid(`${name} ${value === undefined ? 'is missing' : 'wants a text'}`);
}

function readPort(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isInteger(value)) return String(value);
  throw invalid(value === undefined ? 'port is missing' : "port wants a whole number or a port's name");
}

function invalid(message: string, cause?: unknown): SluiceError {
  return new SluiceError('QUESTION_INVALID', message, { cause });
}
