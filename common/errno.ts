/**
 * What errors say, read without casts: a caught value may be anything, and only Node's own errors have an errno's name in
 * `code`. Source: errno(3), and `NodeJS.ErrnoException`.
 */
import { getSystemErrorName } from 'node:util';

/** The message of what was thrown, or rejected with: the value itself as text where it is no error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The first sentence of the message: that of `parseArgs` goes on with advice that is not for our users. */
export function firstSentenceOf(error: unknown): string {
  return messageOf(error).split(/\.\s/)[0] ?? '';
}

/** The first line of the message: that of a YAML reader goes on with lines of the file, and those may hold secrets. */
export function firstLineOf(error: unknown): string {
  return messageOf(error).split('\n', 1)[0] ?? '';
}

/** `code` where it is a text: an errno's name such as `ENOENT`, or one of Node's or our own codes. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The code, or the message of an error that has none: for logs and records, where a code says enough. */
export function codeOrMessageOf(error: unknown): string {
  return codeOf(error) ?? messageOf(error);
}

/** Where an error was made, with its message: for errors that nobody expected. */
export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** What was thrown, as an error. */
export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** The name of an error number, such as `EPERM`. Native calls return it negative, and `SO_ERROR` positive: both will do. */
export function errnoName(errno: number): string {
  return getSystemErrorName(-Math.abs(errno));
}
