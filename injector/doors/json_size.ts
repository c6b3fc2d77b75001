/** How many values a JSON text has, counted before it is parsed. */

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;

/**
 * Whether a text has more than `max` values: it counts the brackets that open a list or an object, and the commas, outside of
 * strings. It stops at the first one too many. Whether the text is JSON it does not ask: the parser does afterwards.
 */
export function hasMoreValues(text: Uint8Array, max: number): boolean {
  let count = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === QUOTE) quoted = !quoted;
    else if (quoted) {
      if (byte === BACKSLASH) at += 1;
    } else if (byte === COMMA || byte === OPEN_LIST || byte === OPEN_OBJECT) {
      count += 1;
      if (count > max) return true;
    }
  }
  return false;
}
