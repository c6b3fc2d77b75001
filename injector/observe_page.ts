/** `POST /observe` of the status socket: a question about flows as JSON. With `?follow=1` edges come as they are observed, a line each. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from '../common/errno.ts';
import { type FlowQuestion, flowQuestion } from '../flows/index.ts';
import type { Collector } from './collector/index.ts';

/** Longest question, bytes. */
const MAX_QUESTION_BYTES = 64 * 1024;

/** Who follows and has not read this much is cut, bytes. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

/** The collector's side. */
export type Observer = Pick<Collector, 'askJson' | 'follow'>;

/** Answers one request; never throws. */
export async function answerObserve(
  observer: Observer,
  request: IncomingMessage,
  response: ServerResponse,
  follows: boolean,
): Promise<void> {
  let question: FlowQuestion;
  try {
    question = await readQuestion(request);
  } catch (error) {
    return refuse(response, 400, messageOf(error));
  }
  try {
    if (follows) return await follow(observer, question, response);
    const json = await observer.askJson(question);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': json.length });
    response.end(json);
  } catch (error) {
    refuse(response, 503, messageOf(error));
  }
}

async function follow(observer: Observer, question: FlowQuestion, response: ServerResponse): Promise<void> {
  const over = new AbortController();
  response.on('close', () => over.abort());
  const edges = observer.follow(question, over.signal);
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders(); // who asked knows that it has begun
  for await (const some of edges) {
    if (response.writableLength > MAX_UNREAD_BYTES) break;
    response.write(some.map((edge) => `${JSON.stringify(edge)}\n`).join(''));
  }
  response.end();
}

async function readQuestion(request: IncomingMessage): Promise<FlowQuestion> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MAX_QUESTION_BYTES) throw new Error(`a question has ${MAX_QUESTION_BYTES} bytes at most`);
    parts.push(part);
  }
  return flowQuestion.readJson(Buffer.concat(parts).toString(), 'question', (problem) => new Error(problem));
}

function refuse(response: ServerResponse, code: number, message: string): void {
  if (response.destroyed || response.headersSent) return void response.destroy();
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${message}\n`);
}
