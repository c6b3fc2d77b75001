/** Names of what the gate makes, by what is in it. */
import { createHash } from 'node:crypto';

const HEX_DIGITS = 16;

/** Equal texts have equal hashes, and others hardly ever: 64 bits. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, HEX_DIGITS);
}
