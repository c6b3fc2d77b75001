/** Elements in nftables, changed and read without a process. Source: linux/netfilter/nf_tables.h and nfnetlink.h. */
import { setImmediate as othersTurn } from 'node:timers/promises';
import { errnoName } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import {
  attribute,
  message,
  NETLINK_PROTOCOLS,
  Netlink,
  NLM_F_ACK,
  nested,
  readAttributes,
  readList,
  readUint64,
  text,
  uint32,
} from '../../native/index.ts';
import { dump } from './exchange.ts';

/** What changes in one set or map of the table. */
export interface ElementChange {
  readonly object: string;
  readonly removed: readonly Uint8Array[];
  /** With the chain that an element of a map leads to, or the value that it stands for. */
  readonly added: readonly {
    readonly key: Uint8Array;
    readonly chain?: string;
    readonly value?: Uint8Array;
  }[];
}

/** An element of a set that counts packets. */
export interface CountedElement {
  /** Parts of a key that has several begin at multiples of four bytes. */
  readonly key: Uint8Array;
  readonly packets: number;
}

/** Elements in one transaction: with some more they have to fit into one datagram, which is at most some 200 kB. */
export const ELEMENTS_MAX = 1_000;
/** Bytes of elements in one message: the length of an attribute has 16 bits. */
const MESSAGE_BYTES = 60_000;
/** Elements that are written in one turn of the event loop: about a millisecond. */
const ELEMENTS_IN_TURN = 250;
/** Chains to remove in one transaction: each is acknowledged twice. */
export const CHAINS_MAX = 40;

/** Families of tables. */
const FAMILIES = { inet: 1, netdev: 5 } as const;
const NFPROTO_INET = FAMILIES.inet;
const SUBSYSTEM = 10;
const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;

/** Message types. */
const DELETE_CHAIN = 5;
const DELETE_RULE = 8;
const NEW_ELEMENTS = 12;
const GET_ELEMENTS = 13;
const DELETE_ELEMENTS = 14;

/** Attributes: each message has its own numbers. */
const TABLE = 1;
const RULE_CHAIN = 2;
const CHAIN_NAME = 3;
const SET_NAME = 2;
const ELEMENTS = 3;
const LIST_ITEM = 1;
const ELEMENT_KEY = 1;
const ELEMENT_DATA = 2;
const ELEMENT_EXPRESSION = 7;
const EXPRESSION_DATA = 2;
const COUNTED_PACKETS = 2;
const DATA_VALUE = 1;
const DATA_VERDICT = 2;
const VERDICT_CODE = 1;
const VERDICT_CHAIN = 2;

const NFT_GOTO = -4;

/** nfgenmsg. */
const FIXED_BYTES = 4;
const NOTHING = new Uint8Array();

/** Chains that a transaction changes after the elements. */
export interface ChainChanges {
  /** Nothing leads to them any more: they are removed. */
  readonly gone?: readonly string[];
  /** Their rules are removed. */
  readonly emptied?: readonly string[];
}

/**
 * Changes elements of a table, one transaction at a time. It keeps its socket from one transaction to the next: closing one costs as
 * much as the transaction, since the kernel has its closer wait until what was removed is freed.
 */
export class ElementWriter {
  /** The table, of the family `inet`. */
  readonly #table: string;
  #socket: Netlink | undefined;

  constructor(table: string) {
    this.#table = table;
  }

  /**
   * Removes elements, adds elements, and then changes chains: all of it, or nothing. The caller waits for each transaction before
   * the next.
   * @throws SluiceError `NETLINK_*` or `SOCKET_*`
   */
  async change(changes: readonly ElementChange[], chains: ChainChanges = {}): Promise<void> {
    const messages = await messagesOf(this.#table, changes, chains);
    if (messages.length === 0) return;
    this.#socket ??= new Netlink(NETLINK_PROTOCOLS.NETFILTER);
    try {
      await transact(this.#socket, messages);
    } catch (error) {
      this.close(); // answers may be left in it
      throw error;
    }
  }

  /** Between transactions only. The next one opens a socket again. */
  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/**
 * One transaction of an `ElementWriter` that nobody keeps.
 * @throws SluiceError `NETLINK_*` or `SOCKET_*`
 */
export async function changeElements(table: string, changes: readonly ElementChange[]): Promise<void> {
  const writer = new ElementWriter(table);
  try {
    await writer.change(changes);
  } finally {
    writer.close();
  }
}

/** A type, and what comes after the fixed part. */
type Message = readonly [type: number, attributes: readonly Uint8Array[]];

async function messagesOf(
  table: string,
  changes: readonly ElementChange[],
  { gone = [], emptied = [] }: ChainChanges,
): Promise<readonly Message[]> {
  const messages: Message[] = [];
  const named = attribute(TABLE, text(table));
  for (const { object, removed } of changes) {
    for (const items of pieces(await written(removed, (key) => [keyOf(key)]))) {
      messages.push([DELETE_ELEMENTS, [named, ...elements(object, items)]]);
    }
  }
  for (const { object, added } of changes) {
    for (const items of pieces(await written(added, (one) => [keyOf(one.key), ...dataOf(one)]))) {
      messages.push([NEW_ELEMENTS, [named, ...elements(object, items)]]);
    }
  }
  for (const chain of emptied) messages.push([DELETE_RULE, [named, attribute(RULE_CHAIN, text(chain))]]);
  for (const chain of gone) {
    messages.push([DELETE_RULE, [named, attribute(RULE_CHAIN, text(chain))]]);
    messages.push([DELETE_CHAIN, [named, attribute(CHAIN_NAME, text(chain))]]);
  }
  return messages;
}

/**
 * All elements of a set whose elements have a counter. While packets add elements, one may come twice or not at all.
 * @param table of the family `family`
 * @throws SluiceError `NETLINK_*` or `SOCKET_*`; `NETLINK_FAILED` when there is no such set
 */
export async function countedElements(
  table: string,
  set: string,
  family: keyof typeof FAMILIES = 'inet',
): Promise<readonly CountedElement[]> {
  const found: CountedElement[] = [];
  const body = [fixed(FAMILIES[family], 0), attribute(TABLE, text(table)), attribute(SET_NAME, text(set))];
  const all = { type: (SUBSYSTEM << 8) | GET_ELEMENTS, body };
  for await (const messages of dump(NETLINK_PROTOCOLS.NETFILTER, all)) {
    for (const one of messages) {
      const list = readAttributes(one.body, FIXED_BYTES).get(ELEMENTS);
      found.push(...readList(list ?? NOTHING).map(readCounted));
    }
  }
  return found;
}

function readCounted(element: Uint8Array): CountedElement {
  const parts = readAttributes(element);
  const key = parts.nested(ELEMENT_KEY).get(DATA_VALUE) ?? NOTHING;
  const counter = parts.nested(ELEMENT_EXPRESSION).nested(EXPRESSION_DATA);
  // The buffer of a dump is used again.
  return { key: key.slice(), packets: readUint64(counter.get(COUNTED_PACKETS) ?? NOTHING) };
}

/** A list item for each element. */
async function written<T>(
  list: readonly T[],
  parts: (element: T) => readonly Uint8Array[],
): Promise<readonly Uint8Array[]> {
  const items: Uint8Array[] = [];
  for (const element of list) {
    items.push(nested(LIST_ITEM, parts(element)));
    if (items.length % ELEMENTS_IN_TURN === 0) await othersTurn();
  }
  return items;
}

function elements(object: string, items: readonly Uint8Array[]): readonly Uint8Array[] {
  return [attribute(SET_NAME, text(object)), nested(ELEMENTS, items)];
}

function keyOf(key: Uint8Array): Uint8Array {
  return nested(ELEMENT_KEY, [attribute(DATA_VALUE, key)]);
}

function dataOf({ chain, value }: ElementChange['added'][number]): readonly Uint8Array[] {
  if (chain !== undefined) return [goTo(chain)];
  return value === undefined ? [] : [nested(ELEMENT_DATA, [attribute(DATA_VALUE, value)])];
}

/** Lists of items that fit into one message each. */
function pieces(items: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const found: Uint8Array[][] = [];
  let left = 0;
  for (const item of items) {
    if (item.length > left) {
      found.push([]);
      left = MESSAGE_BYTES;
    }
    found.at(-1)?.push(item);
    left -= item.length;
  }
  return found;
}

function goTo(chain: string): Uint8Array {
  const verdict = [attribute(VERDICT_CODE, uint32(NFT_GOTO)), attribute(VERDICT_CHAIN, text(chain))];
  return nested(ELEMENT_DATA, [nested(DATA_VERDICT, verdict)]);
}

async function transact(socket: Netlink, messages: readonly Message[]): Promise<void> {
  const limit = fixed(0, SUBSYSTEM);
  const parts = messages.map(([type, body], index) =>
    message((SUBSYSTEM << 8) | type, NLM_F_ACK, index + 1, [fixed(NFPROTO_INET, 0), ...body]),
  );
  const batch = [message(BATCH_BEGIN, 0, 0, [limit]), ...parts, message(BATCH_END, 0, 0, [limit])];
  await socket.sendAside(Buffer.concat(batch));
  let done = 0;
  for (let got = socket.receive(); got !== undefined; got = socket.receive()) {
    for (const { result = 0 } of got) {
      if (result < 0) throw refused(errnoName(result));
      done += 1;
    }
  }
  if (done !== messages.length) throw refused('no answer');
}

/** `struct nfgenmsg`. */
function fixed(family: number, resource: number): Uint8Array {
  return Uint8Array.of(family, 0, 0, resource);
}

function refused(problem: string): SluiceError {
  return new SluiceError(
    'NETLINK_FAILED',
    `nftables refused a change of elements (${problem}): all rules are put in again`,
  );
}
