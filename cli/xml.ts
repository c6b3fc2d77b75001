/** Text within XML. */

/** What XML 1.0 has no way to write: control characters, halves of pairs, and two that are no characters. Source: XML 1.0, 2.2 "Char". */
const NO_CHARACTER = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

/** Text of an element, or of an attribute: what has a meaning in XML is written as a number. Source: XML 1.0, 2.4. */
export function xmlText(text: string): string {
  return text
    .replace(NO_CHARACTER, '\u{fffd}')
    .replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
