/** Why a request gets no review, and how long its texts may be in the log. */

/** Texts of a request go into the log up to this length, characters: who asks decides how long they are. */
const MAX_LOGGED_LENGTH = 1_000;

/** A request that is not answered with a review. */
export class HttpProblem extends Error {
  /** HTTP status. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(short(message));
    this.code = code;
  }
}

/** A text of a request, as far as the log takes it. */
export function short(text: string): string {
  return text.length <= MAX_LOGGED_LENGTH ? text : `${text.slice(0, MAX_LOGGED_LENGTH)}…`;
}
