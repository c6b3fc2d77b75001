/** Flows of a file: lines that `sluice observe -o ndjson` has written. */
import { createReadStream } from 'node:fs';
import { setImmediate as othersTurn } from 'node:timers/promises';
import { firstLineOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import {
  type FlowQuestion,
  FlowSelection,
  flowTest,
  type ObservedFlow,
  observedFlow,
} from '../../flows/index.ts';
import { boundedLines } from './bounded_lines.ts';
import type { FlowSource } from './flow_source.ts';

/** Lines of one file: some 2 GB. More is for a database. */
const MAX_LINES = 4_000_000;

/** After so many lines other work has its turn: a few ms. */
const LINES_A_TURN = 1_000;

/** Standard input. */
const STDIN = '-';

/** Which stream is read. */
export interface LinesPlace {
  /** `-` for standard input. */
  readonly path: string;
  /** What `-` stands for; default: the process's standard input. */
  readonly standardInput?: AsyncIterable<Buffer>;
}

/** Reads the file at each question; standard input once. */
export function createLinesSource(place: LinesPlace): FlowSource {
  return {
    async ask(question) {
      const selection = new FlowSelection(question);
      let firstMs = Number.POSITIVE_INFINITY;
      let lastMs = 0;
      for await (const edge of edgesOf(place)) {
        firstMs = Math.min(firstMs, Date.parse(edge.first));
        lastMs = Math.max(lastMs, Date.parse(edge.last));
        selection.add(edge);
      }
      const until = Math.min(question.until, lastMs);
      const observed = Math.min(firstMs, until);
      return {
        since: timeText(Math.max(question.since, observed)),
        until: timeText(until),
        observed_since: timeText(observed),
        ...selection.result(),
      };
    },
    follow: (question, signal) => follow(place, question, signal),
    close: () => undefined,
  };
}

/** RFC 3339. A file may have any time that can be written. */
function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

async function* follow(
  place: LinesPlace,
  question: FlowQuestion,
  signal: AbortSignal,
): AsyncGenerator<ObservedFlow, void> {
  const fits = flowTest({ ...question, since: 0, until: Number.MAX_SAFE_INTEGER });
  for await (const edge of edgesOf(place, signal)) {
    if (signal.aborted) return;
    if (fits(edge)) yield edge;
  }
}

async function* edgesOf(
  { path, standardInput = process.stdin }: LinesPlace,
  signal?: AbortSignal,
): AsyncGenerator<ObservedFlow, void> {
  const name = path === STDIN ? 'standard input' : path;
  const stream: AsyncIterable<Buffer> =
    path === STDIN ? standardInput : createReadStream(path, signal === undefined ? {} : { signal });
  let lines = 0;
  try {
    for await (const { number, text } of boundedLines(stream, name)) {
      lines += 1;
      if (lines > MAX_LINES)
        throw new SluiceError('INPUT_TOO_LARGE', `${name} has more than ${MAX_LINES} lines`);
      yield edgeOf(text, `${name}, line ${number}`);
      if (lines % LINES_A_TURN === 0) await othersTurn();
    }
  } catch (cause) {
    if (cause instanceof SluiceError || signal?.aborted) throw cause;
    throw new SluiceError('FLOWS_UNREADABLE', `${name} cannot be read: ${firstLineOf(cause)}`, { cause });
  }
}

function edgeOf(text: string, name: string): ObservedFlow {
  const refuse = (problem: string, cause?: unknown) =>
    new SluiceError('FLOWS_UNREADABLE', `${problem} (lines are those of sluice observe -o ndjson)`, {
      cause,
    });
  const edge = observedFlow.readJson(text, `${name}: the flow`, refuse);
  for (const field of ['first', 'last'] as const)
    if (Number.isNaN(Date.parse(edge[field]))) throw refuse(`${name}: the flow.${field} is no time`);
  return edge;
}
