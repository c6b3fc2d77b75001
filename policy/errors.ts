/**
 * Errors that users and tests match on: one base class, permanent codes.
 * docs/reference/errors.md lists each code; a test keeps it equal to `ERROR_CODES`.
 */

/** Every code, with what it means. A code never changes its meaning and is never reused. */
export const ERROR_CODES = {
  OBJECT_INVALID: 'A Kubernetes object does not pass validation; the message names the field.',
  ADDRESS_INVALID: 'A text is not an IP address or CIDR.',
  TABLE_GAP: 'A table delta does not continue the revision in force.',
  TABLE_MALFORMED: 'A table, delta or frame is not of the expected form.',
} as const;

/** A permanent error code. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** The base of all errors Sluice throws on purpose. The message says what to do next. */
export class SluiceError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SluiceError';
    this.code = code;
  }
}
