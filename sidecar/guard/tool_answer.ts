/** Reads what nft(8) and ip(8) write as JSON. Rules are made of it, so another form than expected is an error. */
import { SluiceError } from '../../common/errors.ts';
import { isRecord } from '../../common/shape.ts';

/** A link-layer address of Ethernet, in lower case. */
export const LINK = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;

/** Most characters of an answer that an error shows. */
const SHOWN_MAX = 200;

/** JSON. @throws SluiceError `TOOL_ANSWER_UNKNOWN` */
export function parsed(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unknownAnswer(text, what);
  }
}

/** An object. @param what it is, for the error @throws SluiceError `TOOL_ANSWER_UNKNOWN` */
export function recordOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (isRecord(value)) return value;
  throw unknownAnswer(value, what);
}

/** A list. @throws SluiceError `TOOL_ANSWER_UNKNOWN` */
export function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw unknownAnswer(value, what);
}

/** A text of this form; not empty unless the form says so. @throws SluiceError `TOOL_ANSWER_UNKNOWN` */
export function textOf(value: unknown, what: string, form = /./): string {
  if (typeof value === 'string' && form.test(value)) return value;
  throw unknownAnswer(value, what);
}

function unknownAnswer(value: unknown, what: string): SluiceError {
  const shown = String(JSON.stringify(value)).slice(0, SHOWN_MAX);
  return new SluiceError('TOOL_ANSWER_UNKNOWN', `${what}: ${shown} is in no form that is known`);
}
