/** Flows that an injector has collected, by its status socket: that of a lab, or of a program on this machine. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { firstLineOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { type FlowQuestion, type ObservedFlow, observedAnswer, observedFlow } from '../../flows/index.ts';
import { boundedLines } from './bounded_lines.ts';
import type { FlowSource } from './flow_source.ts';

/** Longest answer, bytes: `MAX_EDGES` of 4 kB, and some more. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** How long an answer may pause, ms. */
const ANSWER_MS = 30_000;

/**
 * @param socketPath the status socket
 * @param name of the injector, for messages: `the injector of lab x`
 */
export function createInjectorSource(socketPath: string, name: string, signal: AbortSignal): FlowSource {
  const unreadable = (problem: string, cause?: unknown): SluiceError =>
    new SluiceError('FLOWS_UNREADABLE', `${name}: ${problem}`, { cause });
  const post = async (path: string, question: FlowQuestion, until: AbortSignal): Promise<IncomingMessage> => {
    const body = JSON.stringify(question);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    try {
      const asked = request({ socketPath, path, method: 'POST', headers, signal: until });
      asked.setTimeout(ANSWER_MS, () => asked.destroy(new Error(`no answer within ${ANSWER_MS / 1000} s`)));
      asked.end(body);
      const [response] = (await once(asked, 'response')) as [IncomingMessage];
      asked.on('error', () => undefined); // from here on the answer itself reports it
      asked.setTimeout(0);
      if (response.statusCode === 200) return response;
      const text = (await bytesOf(response, 1_024)).toString().trim();
      const { statusCode } = response;
      throw new Error(
        statusCode === 404 || statusCode === 405
          ? 'it collects no flows; --direct asks the sidecars themselves'
          : `it answers ${statusCode}: ${text}`,
      );
    } catch (cause) {
      until.throwIfAborted();
      throw unreadable(firstLineOf(cause), cause);
    }
  };
  return {
    async ask(question) {
      const response = await post('/observe', question, signal);
      try {
        const text = (await bytesOf(response, MAX_ANSWER_BYTES)).toString();
        return observedAnswer.readJson(text, 'the answer', unreadable);
      } catch (cause) {
        signal.throwIfAborted();
        throw cause instanceof SluiceError ? cause : unreadable(firstLineOf(cause), cause);
      }
    },
    follow: async function* (question, until): AsyncGenerator<ObservedFlow, void> {
      const both = AbortSignal.any([signal, until]);
      try {
        const response = await post('/observe?follow=1', followed(question), both);
        for await (const { number, text } of boundedLines(response, name))
          yield observedFlow.readJson(text, `line ${number}`, unreadable);
      } catch (cause) {
        if (until.aborted) return;
        signal.throwIfAborted();
        throw cause instanceof SluiceError ? cause : unreadable(firstLineOf(cause), cause);
      }
    },
    close: () => undefined,
  };
}

/** What is to come has no end, and is neither put together nor cut off. */
function followed({ groupBy: _, limit: __, ...question }: FlowQuestion): FlowQuestion {
  return { ...question, since: 0, until: Number.MAX_SAFE_INTEGER };
}

async function bytesOf(response: IncomingMessage, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += (chunk as Buffer).length;
    if (size > most) throw new Error(`the answer is longer than ${most} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}
