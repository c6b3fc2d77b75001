/** Addresses as the kernel has them. */
import { formatAddress, socketAddress } from '../../policy/index.ts';

const WORD_BYTES = 4;

/** The canonical text of an address in network byte order, 4 or 16 bytes. */
export function addressOfBytes(bytes: Uint8Array): string {
  const [a, b, c, d] = bytes;
  if (bytes.length === WORD_BYTES) return `${a}.${b}.${c}.${d}`;
  const words: number[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += WORD_BYTES) words.push(view.getUint32(at));
  return socketAddress(formatAddress(words));
}
