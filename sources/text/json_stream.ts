/** JSON objects one after another, as `jq -c '.items[]'` prints them and kubectl takes them. */

const [QUOTE, BACKSLASH, OPEN, CLOSE] = ['"', '\\', '{', '}'].map((one) => one.charCodeAt(0));

/** The end of the object that starts at `start`; undefined where it has none. */
function objectEnd(text: string, start: number): number | undefined {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === BACKSLASH) at += 1;
      else if (code === QUOTE) quoted = false;
    } else if (code === QUOTE) {
      quoted = true;
    } else if (code === OPEN) {
      depth += 1;
    } else if (code === CLOSE) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return undefined;
}

/**
 * Cuts a text of several objects into one text each, with the space before it. Anything else, one object too, comes back
 * whole: where it is not JSON, the YAML parser says what is wrong.
 */
export function splitJsonObjects(text: string): readonly string[] {
  const objects: string[] = [];
  let from = 0;
  while (true) {
    const start = nextSolid(text, from);
    if (start === text.length) break;
    const end = text.charCodeAt(start) === OPEN ? objectEnd(text, start) : undefined;
    if (end === undefined) return [text];
    objects.push(text.slice(from, end));
    from = end;
  }
  return objects.length > 1 ? objects : [text];
}

/** A byte order mark counts as space. */
const SPACE = /\s/;

function nextSolid(text: string, from: number): number {
  let at = from;
  while (at < text.length && SPACE.test(text[at] ?? '')) at += 1;
  return at;
}
