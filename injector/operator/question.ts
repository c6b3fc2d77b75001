/** A question as it comes in: one POST, within bounds. */
import type { IncomingMessage } from 'node:http';
import { FLOWS_TOKEN_HEADER, type FlowQuestion, flowQuestion, OBSERVE_PATH } from '../../flows/index.ts';
import { HttpProblem, parseJson, readBody } from '../doors/index.ts';

/** Largest question, bytes, and values in it: one with all lists of a page of names is a tenth of this. */
const MAX_BODY_BYTES = 64 * 1024;
const MAX_VALUES = 5_000;

/** What is asked, and how. */
export interface Asked {
  readonly question: FlowQuestion;
  /** `?follow=1`: flows as they are observed, a line each. */
  readonly follow: boolean;
}

/**
 * Refuses what is no question, before anything of the body is read.
 * @returns the token
 * @throws HttpProblem
 */
export function tokenOf(request: IncomingMessage): string {
  const [path] = (request.url ?? '').split('?');
  if (path !== OBSERVE_PATH)
    throw new HttpProblem(404, `nothing is at ${path}: flows are at ${OBSERVE_PATH}`);
  if (request.method !== 'POST') throw new HttpProblem(405, 'wants POST');
  const token = request.headers[FLOWS_TOKEN_HEADER];
  if (typeof token !== 'string' || token === '')
    throw new HttpProblem(401, `there is no token: it goes into the header ${FLOWS_TOKEN_HEADER}`);
  return token;
}

/** @throws HttpProblem where the body is no question, or does not come whole */
export async function readQuestion(request: IncomingMessage): Promise<Asked> {
  const url = URL.parse(request.url ?? '', 'https://injector');
  const value = parseJson(await readBody(request, MAX_BODY_BYTES), MAX_VALUES);
  const question = flowQuestion.read(value, 'question', (problem) => new HttpProblem(400, problem));
  return { question, follow: url?.searchParams.get('follow') === '1' };
}
