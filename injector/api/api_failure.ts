/** How requests to the API server fail. The reflector tells them apart; they never leave it. */

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

const GONE = 410;
const MS_PER_SECOND = 1000;

/** Whether a revision or a page token is forgotten: only a new list helps. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiFailure && error.code === GONE;
}

/** Makes a failure of a Status object; anything else gives one without a message of its own. */
export function failureOf(code: number, body: unknown, retryAfterSeconds?: number): ApiFailure {
  const status = typeof body === 'object' && body !== null ? (body as Partial<Status>) : {};
  const { message = 'the API server gave no reason', code: own = code, details } = status;
  const seconds = retryAfterSeconds ?? details?.retryAfterSeconds;
  return new ApiFailure(own, message, seconds === undefined ? undefined : seconds * MS_PER_SECOND);
}

interface Status {
  readonly code: number;
  readonly message: string;
  readonly details: { readonly retryAfterSeconds?: number };
}
