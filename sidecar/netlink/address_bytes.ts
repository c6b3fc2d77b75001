/** Addresses as the kernel has them: 4 or 16 bytes in network order. */
import { formatAddress, parseAddress, socketAddress } from '../../policy/index.ts';

/** The canonical text; a v4-mapped address is the IPv4 address. */
export function addressText(bytes: Uint8Array): string {
  const words: number[] = [];
  for (let at = 0; at + 3 < bytes.length; at += 4) {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(at, at + 4);
    words.push(((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
  }
  return socketAddress(formatAddress(words));
}

/** The bytes of a canonical address; none for what is no address. */
export function addressBytes(address: string): Uint8Array {
  const words = parseAddress(address) ?? [];
  return Uint8Array.from(words.flatMap((word) => [word >>> 24, word >>> 16, word >>> 8, word]));
}

/** The port in two bytes at `at`. */
export function portAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
