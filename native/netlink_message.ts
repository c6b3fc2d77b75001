/** Netlink messages as bytes: a header, a fixed part, attributes. Pure. Source: netlink(7), linux/netlink.h. */
import { endianness } from 'node:os';

/** Header flags of a request. */
const NLM_F_REQUEST = 0x01;
/** The kernel answers with an error message, whose code is 0 when all went well. */
export const NLM_F_ACK = 0x04;
/** All objects, in several messages. */
export const NLM_F_DUMP = 0x300;

/** Types of control messages. */
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
/** Attributes with this bit hold attributes. */
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

/** Numbers of headers are in the machine's own byte order, most others in the network's. */
const LITTLE_ENDIAN = endianness() === 'LE';

/** A received message. */
export interface NetlinkMessage {
  readonly type: number;
  readonly sequence: number;
  /** Fixed part and attributes. */
  readonly body: Uint8Array;
  /** Present when this ends the answer: 0, or a negative error number. */
  readonly result?: number;
}

/** The messages of a datagram, as they came. */
export function readMessages(datagram: Uint8Array): readonly NetlinkMessage[] {
  const found: NetlinkMessage[] = [];
  const view = viewOf(datagram);
  let at = 0;
  while (at + HEADER_BYTES <= datagram.length) {
    const length = view.getUint32(at, LITTLE_ENDIAN);
    if (length < HEADER_BYTES || at + length > datagram.length) break; // no kernel sends that
    const type = view.getUint16(at + 4, LITTLE_ENDIAN);
    const sequence = view.getUint32(at + 8, LITTLE_ENDIAN);
    const body = datagram.subarray(at + HEADER_BYTES, at + length);
    const ends = (type === NLMSG_ERROR || type === NLMSG_DONE) && body.length >= 4;
    const result = ends ? view.getInt32(at + HEADER_BYTES, LITTLE_ENDIAN) : undefined;
    found.push({ type, sequence, body, ...(result === undefined ? {} : { result }) });
    at += aligned(length);
  }
  return found;
}

/** A message, padded so that another can follow. `body` is the fixed part and the attributes. */
export function message(
  type: number,
  flags: number,
  sequence: number,
  body: readonly Uint8Array[],
): Uint8Array {
  const length = body.reduce((sum, part) => sum + part.length, HEADER_BYTES);
  const bytes = new Uint8Array(aligned(length));
  const view = viewOf(bytes);
  view.setUint32(0, length, LITTLE_ENDIAN);
  view.setUint16(4, type, LITTLE_ENDIAN);
  view.setUint16(6, flags | NLM_F_REQUEST, LITTLE_ENDIAN);
  view.setUint32(8, sequence, LITTLE_ENDIAN);
  place(bytes, HEADER_BYTES, body);
  return bytes;
}

/** Attributes by type, after a fixed part of `skip` bytes. Of several with one type the last counts. */
export function readAttributes(bytes: Uint8Array, skip = 0): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  eachAttribute(bytes, skip, (type, value) => found.set(type, value));
  return found;
}

/** The attributes of a list: all have one type. */
export function readList(bytes: Uint8Array): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  eachAttribute(bytes, 0, (_type, value) => found.push(value));
  return found;
}

/** No view and no generator: messages have dozens of attributes, and lists thousands of messages. */
function eachAttribute(
  bytes: Uint8Array,
  skip: number,
  use: (type: number, value: Uint8Array) => void,
): void {
  const [low, high] = LITTLE_ENDIAN ? [0, 1] : [1, 0];
  const numberAt = (at: number): number => (bytes[at + low] ?? 0) | ((bytes[at + high] ?? 0) << 8);
  let at = skip;
  while (at + ATTRIBUTE_HEADER_BYTES <= bytes.length) {
    const length = numberAt(at);
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > bytes.length) break;
    use(numberAt(at + 2) & TYPE_MASK, bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length));
    at += aligned(length);
  }
}

/** An attribute, padded. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  return attributeOf(type, [value]);
}

/** An attribute that holds attributes. */
export function nested(type: number, attributes: readonly Uint8Array[]): Uint8Array {
  return attributeOf(type | NESTED, attributes);
}

function attributeOf(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, ATTRIBUTE_HEADER_BYTES);
  const bytes = new Uint8Array(aligned(length));
  // There are many of these, and a view costs more than all else.
  const [low, high] = LITTLE_ENDIAN ? [0, 1] : [1, 0];
  bytes[low] = length;
  bytes[high] = length >>> 8;
  bytes[2 + low] = type;
  bytes[2 + high] = type >>> 8;
  place(bytes, ATTRIBUTE_HEADER_BYTES, parts);
  return bytes;
}

/** A number in network order. */
export function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

/** A number in network order; negative ones as two's complement. */
export function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** A number of up to 2^53 in network order. */
export function readUint64(bytes: Uint8Array): number {
  return bytes.length < 8 ? 0 : Number(viewOf(bytes).getBigUint64(0));
}

/** A number in network order. */
export function readUint32(bytes: Uint8Array): number {
  return bytes.length < 4 ? 0 : viewOf(bytes).getUint32(0);
}

/** A number in the machine's own order. */
export function hostUint16(value: number): Uint8Array {
  const bytes = new Uint8Array(2);
  viewOf(bytes).setUint16(0, value, LITTLE_ENDIAN);
  return bytes;
}

/** A number in the machine's own order. */
export function hostUint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value, LITTLE_ENDIAN);
  return bytes;
}

/** A number of up to 2^53 in the machine's own order. */
export function readHostUint64(bytes: Uint8Array, at: number): number {
  return Number(viewOf(bytes).getBigUint64(at, LITTLE_ENDIAN));
}

/** A number in the machine's own order. */
export function readHostUint32(bytes: Uint8Array, at: number): number {
  return viewOf(bytes).getUint32(at, LITTLE_ENDIAN);
}

/** A text that ends with a zero. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}

function place(bytes: Uint8Array, from: number, parts: readonly Uint8Array[]): void {
  let at = from;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
