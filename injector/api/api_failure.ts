/** How requests to the API server fail. The reflector distinguishes them; they never leave it. */

import { readStatus } from './status.ts';

/** The server answered that it will not. Source: `metav1.Status`. */
export class ApiFailure extends Error {
  /** HTTP status, or the code of a Status in a watch. */
  readonly code: number;
  /** From `Retry-After` or `details.retryAfterSeconds`, ms. */
  readonly retryAfterMs: number | undefined;

  constructor(code: number, message: string, retryAfterMs?: number) {
    super(`${code}: ${message}`);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The answer is not what the API's form is, or ends too soon: what it said cannot be relied on. */
export class AnswerMalformed extends Error {}

/** The error for an answer that is not of the API's form. The reflector asks again; where that does not help, people have to look. */
export function answerMalformed(problem: string, cause?: unknown): AnswerMalformed {
  const advice = 'is it the API server that answers, and nothing in between that changes the answer?';
  return new AnswerMalformed(`${problem}: ${advice}`, { cause });
}

/** A watch that should begin with all that there is does not: the server does not know how to. */
export class NoInitialEvents extends Error {}

/** A watch that should begin with all that there is ended, in good order, before it had shown that. */
export class EndedEarly extends Error {}

const BAD_REQUEST = 400;
const GONE = 410;
const INTERNAL = 500;
const INVALID = 422;
const TIMEOUT = 504;
const MS_PER_SECOND = 1000;

/** Whether a revision or a page token is forgotten: only a new list helps. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiFailure && error.code === GONE;
}

/**
 * Whether a server cannot give a list the newness that was asked for: the revision is forgotten (410), or its cache has not come
 * to it (504, "Too large resource version"). A list as new as storage helps; also where a 504 came from a gateway.
 */
export function isOutOfReach(error: unknown): boolean {
  return isGone(error) || (error instanceof ApiFailure && error.code === TIMEOUT);
}

/**
 * How a server says, with 500, that it would stream lists, and its etcd cannot say how far a watch has come: etcd before 3.4.25 and
 * 3.5.8. Source: `Cacher.Watch` of apiserver, `RequestWatchProgress`.
 */
const STORAGE_CANNOT_STREAM = /required storage feature \S+ is disabled/;

/**
 * Whether a server does not stream lists. Those that know of it and have it switched off, and those since 1.19 that do not
 * know of it, answer 422; see `validateWatchOptions` of apimachinery. Those whose etcd is too old for it answer 500.
 */
export function isUnstreamable(error: unknown): boolean {
  if (error instanceof NoInitialEvents) return true;
  if (!(error instanceof ApiFailure)) return false;
  if (error.code === INTERNAL) return STORAGE_CANNOT_STREAM.test(error.message);
  return error.code === BAD_REQUEST || error.code === INVALID;
}

/** Makes a failure of a Status object; anything else gives one without a message of its own. */
export function failureOf(code: number, body: unknown, retryAfterSeconds?: number): ApiFailure {
  const { message = 'the API server gave no reason', code: own = code, details } = readStatus(body);
  const seconds = retryAfterSeconds ?? details?.retryAfterSeconds;
  return new ApiFailure(own, message, seconds === undefined ? undefined : seconds * MS_PER_SECOND);
}
