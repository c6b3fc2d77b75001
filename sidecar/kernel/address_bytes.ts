/** Addresses as the kernel has them: 4 or 16 bytes in network order. */
import { formatAddress, parseAddress, socketAddress } from '../../policy/index.ts';

const IPV4_BYTES = 4;

/**
 * The canonical text; a v4-mapped address is the IPv4 address. Read byte by byte: lists of sockets have thousands.
 * @param start where it begins
 * @param end where it ends
 */
export function addressText(bytes: Uint8Array, start = 0, end = bytes.length): string {
  if (end - start === IPV4_BYTES)
    return `${bytes[start]}.${bytes[start + 1]}.${bytes[start + 2]}.${bytes[start + 3]}`;
  const words: number[] = [];
  for (let at = start; at + 3 < end; at += 4) words.push(wordAt(bytes, at));
  return socketAddress(formatAddress(words));
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  );
}

/** The bytes of a canonical address; none for what is no address. */
export function addressBytes(address: string): Uint8Array {
  const words = parseAddress(address) ?? [];
  const bytes = new Uint8Array(words.length * 4);
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? 0;
    bytes[i * 4] = word >>> 24;
    bytes[i * 4 + 1] = word >>> 16;
    bytes[i * 4 + 2] = word >>> 8;
    bytes[i * 4 + 3] = word;
  }
  return bytes;
}

/** The port in two bytes at `at`. */
export function portAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
