/** The bytes that the lab's servers and clients stream: known to both ends, without a file. */

import { createHash } from 'node:crypto';

/** Bytes of one block; a stream repeats it. Not a multiple of usual buffer sizes, so that a lost buffer shows. */
const PATTERN_BLOCK_BYTES = 65_521;

/** The block: pseudo-random and always the same, so that both ends can compute a stream's hash. */
export const PATTERN_BLOCK: Buffer = makeBlock();

/** SHA-256, in hex, of a stream of that many bytes. */
export function patternSha256(bytes: number): string {
  const hash = createHash('sha256');
  for (let left = bytes; left > 0; left -= PATTERN_BLOCK_BYTES) hash.update(PATTERN_BLOCK.subarray(0, left));
  return hash.digest('hex');
}

function makeBlock(): Buffer {
  const block = Buffer.alloc(PATTERN_BLOCK_BYTES);
  // A linear congruential generator (Numerical Recipes' constants): cheap, and no run of equal bytes.
  let state = 1;
  for (let index = 0; index < block.length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    block[index] = state >>> 24;
  }
  return block;
}
