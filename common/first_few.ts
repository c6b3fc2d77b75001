/** Lists in a sentence that may be long. */

/**
 * `a, b and 3 more`. One that would be left out is written: its name says more than its number, and takes no more room.
 * @param most how many are written
 * @param count of all, where `texts` are only the first of them
 */
export function firstFew(texts: readonly string[], most: number, count = texts.length): string {
  const shown = texts.slice(0, count === most + 1 ? count : most);
  return `${shown.join(', ')}${count > shown.length ? ` and ${count - shown.length} more` : ''}`;
}
