/** `metav1.Status`: how the API server says what failed. Its words are for people and for distinguishing failures, no more. */
import { messageOf } from '../../common/errno.ts';
import { integer, list, nullable, number, part, type TypeOf, text } from '../../common/shape.ts';

const status = part(
  {},
  {
    /** The HTTP status that it stands for. */
    code: integer(0, 999),
    message: text(),
    /** Some servers write what is absent as null. */
    details: nullable(
      part({}, { retryAfterSeconds: number, causes: nullable(list(part({}, { reason: text() }))) }),
    ),
  },
);

/** What is read of a Status. */
export interface Status extends TypeOf<typeof status> {}

/**
 * Reads the body of a failure. Never throws: the failure stands, with or without a body. What is no Status gives one that
 * says so.
 * @param body the library gives the body of some answers as text
 */
export function readStatus(body: unknown): Status {
  const unread = (problem: string): Error => new Error(`no reason that can be read: ${problem}`);
  try {
    // The library's objects have fields of the value undefined, which are absent in JSON.
    return status.readJson(
      typeof body === 'string' ? body : JSON.stringify(body ?? {}),
      'the Status',
      unread,
    );
  } catch (error) {
    return { message: messageOf(error) };
  }
}
