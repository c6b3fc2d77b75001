/** What a command says of a word that it has no use for. */
import { existsSync } from 'node:fs';

/** `'manifests' is not expected; did you mean -f manifests?`, the question where it is a path that exists. */
export function surplusWord(word: string): string {
  const hint = existsSync(word) ? `; did you mean -f ${word}?` : '';
  return `'${word}' is not expected${hint}`;
}
