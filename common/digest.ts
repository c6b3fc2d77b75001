/** Digests of texts. */
import { createHash } from 'node:crypto';

/** A short text that stands for a long one: nobody finds two texts with one digest. Source: SHA-256, FIPS 180-4. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
