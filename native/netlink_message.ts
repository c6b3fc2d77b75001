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
/** Where their bytes are, of two. */
const [LOW, HIGH] = LITTLE_ENDIAN ? [0, 1] : [1, 0];

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
  let at = 0;
  while (at + HEADER_BYTES <= datagram.length) {
    const length = readHostUint32(datagram, at);
    if (length < HEADER_BYTES || at + length > datagram.length) break; // no kernel sends that
    const type = uint16At(datagram, at + 4);
    const sequence = readHostUint32(datagram, at + 8);
    const body = datagram.subarray(at + HEADER_BYTES, at + length);
    const ends = (type === NLMSG_ERROR || type === NLMSG_DONE) && body.length >= 4;
    const result = ends ? readHostUint32(datagram, at + HEADER_BYTES) | 0 : undefined;
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

/** The attributes after a fixed part of `skip` bytes. */
export function readAttributes(bytes: Uint8Array, skip = 0): Attributes {
  return new Attributes(bytes, skip, bytes.length);
}

/**
 * The attributes of a part of a message. Each is looked for when it is asked for, and nothing is made of the others: messages have
 * dozens, and come by the thousand. Of several with one type the last counts.
 */
export class Attributes {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
  }

  has(type: number): boolean {
    return this.#find(type) !== ABSENT;
  }

  /** Its value; valid as long as the message. */
  get(type: number): Uint8Array | undefined {
    const at = this.#find(type);
    return at === ABSENT ? undefined : this.#bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, this.#endOf(at));
  }

  /** The attributes in it; none where it is absent. */
  nested(type: number): Attributes {
    const at = this.#find(type);
    return at === ABSENT
      ? NO_ATTRIBUTES
      : new Attributes(this.#bytes, at + ATTRIBUTE_HEADER_BYTES, this.#endOf(at));
  }

  /** Its value as a number of `size` bytes, at most 6, in network order; `undefined` where it is absent or shorter. */
  number(type: number, size: number): number | undefined {
    const at = this.#find(type);
    if (at === ABSENT || at + ATTRIBUTE_HEADER_BYTES + size > this.#endOf(at)) return undefined;
    let value = 0;
    for (let index = 0; index < size; index += 1)
      value = value * 256 + (this.#bytes[at + ATTRIBUTE_HEADER_BYTES + index] ?? 0);
    return value;
  }

  /** Where the header of one is. */
  #find(type: number): number {
    const bytes = this.#bytes;
    let found = ABSENT;
    let at = this.#start;
    while (at + ATTRIBUTE_HEADER_BYTES <= this.#end) {
      const length = uint16At(bytes, at);
      if (length < ATTRIBUTE_HEADER_BYTES || at + length > this.#end) break;
      if ((uint16At(bytes, at + 2) & TYPE_MASK) === type) found = at;
      at += aligned(length);
    }
    return found;
  }

  #endOf(at: number): number {
    return at + uint16At(this.#bytes, at);
  }
}

/** No place of an attribute. */
const ABSENT = -1;

const NO_ATTRIBUTES = new Attributes(new Uint8Array(), 0, 0);

/** The attributes of a list: all have one type. */
export function readList(bytes: Uint8Array): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  let at = 0;
  while (at + ATTRIBUTE_HEADER_BYTES <= bytes.length) {
    const length = uint16At(bytes, at);
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > bytes.length) break;
    found.push(bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length));
    at += aligned(length);
  }
  return found;
}

/** A number in the machine's own order. No view: a view costs more than all else. */
function uint16At(bytes: Uint8Array, at: number): number {
  return (bytes[at + LOW] ?? 0) | ((bytes[at + HIGH] ?? 0) << 8);
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
  bytes[LOW] = length;
  bytes[HIGH] = length >>> 8;
  bytes[2 + LOW] = type;
  bytes[2 + HIGH] = type >>> 8;
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
  const [low, high] = LITTLE_ENDIAN ? [at, at + 4] : [at + 4, at];
  return readHostUint32(bytes, high) * 2 ** 32 + readHostUint32(bytes, low);
}

/** A number in the machine's own order. */
export function readHostUint32(bytes: Uint8Array, at: number): number {
  const [low, high] = LITTLE_ENDIAN ? [at, at + 2] : [at + 2, at];
  return uint16At(bytes, high) * 2 ** 16 + uint16At(bytes, low);
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
