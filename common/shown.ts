/** Wrong values as messages repeat them. */

/** Longest part of one, characters: who has written it knows it by that, and a log line, or a refusal by the API server, stays short. */
const SHOWN_MAX = 200;

/** A value, or its beginning and how long it is. */
export function shown(value: unknown): string {
  const text = String(value);
  if (text.length <= SHOWN_MAX) return text;
  return `${text.slice(0, SHOWN_MAX)}… (${text.length} characters)`;
}
