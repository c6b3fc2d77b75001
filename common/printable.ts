/**
 * Text that comes from others, such as names in manifests, written so that a terminal shows it and does nothing else: a
 * name may hold sequences that clear a screen, change what was printed, or begin a line that looks like an answer.
 */

/** Control characters, invisible ones that change how text is shown, and separators of lines. */
const NOT_PRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** As JSON writes it, so that what was JSON still is, and means the same. */
function escaped(text: string): string {
  return text
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

/** The text as one line, safe to print: `\u001b` for an escape character, `\u000a` for a line end. */
export function printable(text: string): string {
  return text.replace(NOT_PRINTABLE, escaped);
}

/** The same for text of several lines: line ends and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(NOT_PRINTABLE, (found) => (found === '\n' || found === '\t' ? found : escaped(found)));
}
