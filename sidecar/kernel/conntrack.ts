/** Connection tracking: who opened a flow, and who really answers it. Source: linux/netfilter/nfnetlink_conntrack.h. */

import type { AddressPort } from '../../common/net.ts';
import {
  type Attributes,
  attribute,
  NETLINK_PROTOCOLS,
  type NetlinkMessage,
  nested,
  readAttributes,
  readUint64,
  uint16,
  uint32,
} from '../../native/index.ts';
import type { Protocol } from '../../policy/index.ts';
import { familyOf } from '../../policy/index.ts';
import { addressBytes, addressText } from './address_bytes.ts';
import { ask, dump, type Order, order } from './exchange.ts';
import { PROTOCOL_BY_NUMBER } from './protocols.ts';

/** One end of a flow. */
export type Side = AddressPort;

/** A flow as it was opened, and as it is answered. */
export interface TrackedFlow {
  readonly protocol: Protocol;
  /** Who sent the first packet, and to whom: may be a Service's virtual address. */
  readonly source: Side;
  readonly destination: Side;
  /** Who really answers. */
  readonly answering: Side;
  /** Whom it answers: `source`, but where a translation gives that another address or port, such as one for a port that is taken. */
  readonly answered: Side;
  /** Whether a connection came about: for TCP and SCTP the whole handshake, for UDP answers for some time. */
  readonly isAssured: boolean;
  /** One of `TCP_STATES`, where the kernel says it. */
  readonly tcpState: number | undefined;
  /** A TCP connection whose handshake the kernel has not seen, or has forgotten: `source` may not be who opened it. */
  readonly isPickedUp?: true;
  /**
   * From and to `source`, with the IP and transport headers of each packet; 0 where the entry is older than the gate, which has the
   * kernel count them (`nf_conntrack_acct`).
   */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** A flow as one of the kernel's list. */
export interface TrackedEntry extends TrackedFlow {
  /** What the kernel knows it by. */
  readonly entry: { readonly family: number; readonly tuple: Uint8Array; readonly id: Uint8Array };
}

/** States of a TCP connection between its handshake and its end, in order; nf_conntrack_tcp.h. */
export const TCP_STATES = {
  SYN_RECEIVED: 2,
  ESTABLISHED: 3,
  FIN_WAIT: 4,
  LAST_ACK: 6,
  TIME_WAIT: 7,
  CLOSE: 8,
} as const;

const CT_GET = 0x0101;
const CT_DELETE = 0x0102;
/** nfgenmsg: family, version, resource. */
const FIXED_BYTES = 4;
const ANY_FAMILY = 0;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;

const TUPLE_ORIGINAL = 1;
const TUPLE_REPLY = 2;
/** Of an entry. */
export const STATUS = 3;
/** Bits of the status that a list is about; their values are in STATUS. Kernels before 5.18 list all. */
const STATUS_MASK = 26;
/** In it: the bits IPS_SEEN_REPLY, IPS_ASSURED and IPS_DST_NAT. */
const SEEN_REPLY = 1 << 1;
export const ASSURED = 1 << 2;
const DESTINATION_TRANSLATED = 1 << 5;
/** PROTOINFO, in it TCP, in it STATE: a byte. */
export const TCP_STATE_PATH = [4, 1, 1] as const;
/** In TCP: flags of each direction, a byte of flags and one of their mask; IP_CT_TCP_FLAG_BE_LIBERAL is set in both of what was picked up. */
const TCP_FLAGS = [4, 5] as const;
const LIBERAL = 0x08;
const COUNTED_ORIGINAL = 9;
const COUNTED_REPLY = 10;
const COUNTED_BYTES = 2;
const ENTRY_ID = 12;
const TUPLE_ADDRESSES = 1;
const TUPLE_PORTS = 2;
/** Of addresses: those of IPv4, then of IPv6. */
const SOURCES = [1, 3] as const;
const DESTINATIONS = [2, 4] as const;
/** Of ports. */
const PROTOCOL_NUMBER = 1;
const SOURCE_PORT = 2;
const DESTINATION_PORT = 3;

const NOTHING = new Uint8Array();

/**
 * Every TCP, UDP and SCTP flow of this network namespace. The kernel looks through those of all namespaces in one go: some
 * 10 ms in which nothing else runs here.
 */
export async function* trackedFlows(): AsyncGenerator<readonly TrackedEntry[], void, void> {
  const all = { type: CT_GET, body: [fixed(ANY_FAMILY)] };
  for await (const messages of dump(NETLINK_PROTOCOLS.NETFILTER, all)) {
    yield messages.flatMap((one) => readEntry(one) ?? []);
  }
}

/** TCP flows of this network namespace whose handshake was answered, and has not been completed. */
export async function* openHandshakes(): AsyncGenerator<readonly TrackedEntry[], void, void> {
  for await (const flows of flowsByStatus(SEEN_REPLY, SEEN_REPLY | ASSURED, readEntry))
    yield flows.filter(
      ({ protocol, tcpState }) => protocol === 'TCP' && tcpState === TCP_STATES.SYN_RECEIVED,
    );
}

/** TCP flows of this network namespace that are answered elsewhere than where they were sent to: rules translate them. */
export async function* movedFlows(): AsyncGenerator<readonly TrackedFlow[], void, void> {
  for await (const flows of flowsByStatus(DESTINATION_TRANSLATED, DESTINATION_TRANSLATED, readFlow))
    yield flows.filter(
      ({ protocol, destination, answering }) =>
        protocol === 'TCP' &&
        (destination.port !== answering.port || destination.address !== answering.address),
    );
}

async function* flowsByStatus<Flow extends TrackedFlow>(
  status: number,
  mask: number,
  read: (found: NetlinkMessage) => Flow | undefined,
): AsyncGenerator<readonly Flow[], void, void> {
  const body = [fixed(ANY_FAMILY), attribute(STATUS, uint32(status)), attribute(STATUS_MASK, uint32(mask))];
  for await (const messages of dump(NETLINK_PROTOCOLS.NETFILTER, { type: CT_GET, body }))
    yield messages.flatMap((one) => read(one) ?? []);
}

/** The TCP connections that packets from `source` to `destination` belong to, in either direction. */
export function tcpFlows(
  ends: readonly { readonly source: Side; readonly destination: Side }[],
): Promise<readonly (TrackedFlow | undefined)[]> {
  const questions = ends.map(({ source, destination }): Order => {
    const family = familyOf(source.address) === 6 ? AF_INET6 : AF_INET;
    return { type: CT_GET, body: [fixed(family), nested(TUPLE_ORIGINAL, tcpTuple(source, destination))] };
  });
  const flows = ask(NETLINK_PROTOCOLS.NETFILTER, questions, (found) => (found && readFlow(found)) ?? null);
  return flows.then((list) => list.map((flow) => flow ?? undefined));
}

/**
 * Has the kernel forget flows: the next packet of each is that of a new one.
 * @returns for each 0 or a negative error number; one that is not there any more is ENOENT
 */
export function forgetFlows(flows: readonly TrackedEntry[]): Promise<readonly number[]> {
  return order(
    NETLINK_PROTOCOLS.NETFILTER,
    flows.map(({ entry }): Order => {
      const { family, tuple, id } = entry;
      return {
        type: CT_DELETE,
        body: [fixed(family), nested(TUPLE_ORIGINAL, [tuple]), attribute(ENTRY_ID, id)],
      };
    }),
  );
}

function fixed(family: number): Uint8Array {
  return Uint8Array.of(family, 0, 0, 0);
}

function tcpTuple(source: Side, destination: Side): readonly Uint8Array[] {
  const family = familyOf(source.address) === 6 ? 1 : 0;
  return [
    nested(TUPLE_ADDRESSES, [
      attribute(SOURCES[family], addressBytes(source.address)),
      attribute(DESTINATIONS[family], addressBytes(destination.address)),
    ]),
    nested(TUPLE_PORTS, [
      attribute(PROTOCOL_NUMBER, Uint8Array.of(IPPROTO_TCP)),
      attribute(SOURCE_PORT, uint16(source.port)),
      attribute(DESTINATION_PORT, uint16(destination.port)),
    ]),
  ];
}

/** `undefined` for flows of other protocols. */
export function readFlow({ body }: NetlinkMessage): TrackedFlow | undefined {
  const attributes = readAttributes(body, FIXED_BYTES);
  const opened = readTuple(attributes.nested(TUPLE_ORIGINAL));
  const answered = readTuple(attributes.nested(TUPLE_REPLY));
  if (opened === undefined || answered === undefined) return undefined;
  return {
    ...opened,
    answering: answered.source,
    answered: answered.destination,
    isAssured: ((attributes.number(STATUS, 4) ?? 0) & ASSURED) !== 0,
    ...readTcp(attributes),
    bytesSent: readBytes(attributes.nested(COUNTED_ORIGINAL)),
    bytesReceived: readBytes(attributes.nested(COUNTED_REPLY)),
  };
}

/** The same, with what the kernel knows the entry by. */
function readEntry(message: NetlinkMessage): TrackedEntry | undefined {
  const flow = readFlow(message);
  if (flow === undefined) return undefined;
  const { body } = message;
  const attributes = readAttributes(body, FIXED_BYTES);
  // Buffers of a dump are used again: what is kept has to be copied.
  const copyOf = (type: number): Uint8Array => (attributes.get(type) ?? NOTHING).slice();
  return { ...flow, entry: { family: body[0] ?? 0, tuple: copyOf(TUPLE_ORIGINAL), id: copyOf(ENTRY_ID) } };
}

function readTcp(attributes: Attributes): Pick<TrackedFlow, 'tcpState' | 'isPickedUp'> {
  const [info, tcp, state] = TCP_STATE_PATH;
  const found = attributes.nested(info).nested(tcp);
  const isPickedUp = TCP_FLAGS.every((flags) => ((found.number(flags, 1) ?? 0) & LIBERAL) !== 0);
  return { tcpState: found.number(state, 1), ...(isPickedUp ? { isPickedUp } : {}) };
}

function readBytes(counters: Attributes): number {
  const counted = counters.get(COUNTED_BYTES);
  return counted === undefined ? 0 : readUint64(counted);
}

function readTuple(
  tuple: Attributes,
): { readonly protocol: Protocol; readonly source: Side; readonly destination: Side } | undefined {
  const [addresses, ports] = [tuple.nested(TUPLE_ADDRESSES), tuple.nested(TUPLE_PORTS)];
  const protocol = PROTOCOL_BY_NUMBER[ports.number(PROTOCOL_NUMBER, 1) ?? 0];
  const source = addresses.get(SOURCES[0]) ?? addresses.get(SOURCES[1]);
  const destination = addresses.get(DESTINATIONS[0]) ?? addresses.get(DESTINATIONS[1]);
  const [from, to] = [ports.number(SOURCE_PORT, 2), ports.number(DESTINATION_PORT, 2)];
  if (protocol === undefined || source === undefined || destination === undefined) return undefined;
  if (from === undefined || to === undefined) return undefined;
  return {
    protocol,
    source: { address: addressText(source), port: from },
    destination: { address: addressText(destination), port: to },
  };
}
