/** Digests of texts. */
import { createHash } from 'node:crypto';

/** 128 bits of SHA-256: nobody finds two texts with one digest. */
const DIGEST_CHARACTERS = 22;

/** A short text that stands for a long one: equal for equal texts only. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_CHARACTERS);
}
