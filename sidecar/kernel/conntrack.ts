/** Connection tracking: who opened a flow, and who really answers it. Source: linux/netfilter/nfnetlink_conntrack.h. */

import type { AddressPort } from '../../common/net.ts';
import {
  attribute,
  NETLINK_PROTOCOLS,
  type NetlinkMessage,
  nested,
  readAttributes,
  readUint32,
  readUint64,
  uint16,
  uint32,
} from '../../native/index.ts';
import type { Protocol } from '../../policy/index.ts';
import { familyOf } from '../../policy/index.ts';
import { addressBytes, addressText, portAt } from './address_bytes.ts';
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
  /** What the kernel knows the entry by. */
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
export async function* trackedFlows(): AsyncGenerator<readonly TrackedFlow[], void, void> {
  const all = { type: CT_GET, body: [fixed(ANY_FAMILY)] };
  for await (const messages of dump(NETLINK_PROTOCOLS.NETFILTER, all)) {
    yield messages.flatMap((one) => readFlow(one) ?? []);
  }
}

/** TCP flows of this network namespace whose handshake was answered, and has not been completed. */
export async function* openHandshakes(): AsyncGenerator<readonly TrackedFlow[], void, void> {
  for await (const flows of flowsByStatus(SEEN_REPLY, SEEN_REPLY | ASSURED))
    yield flows.filter(
      ({ protocol, tcpState }) => protocol === 'TCP' && tcpState === TCP_STATES.SYN_RECEIVED,
    );
}

/** TCP flows of this network namespace that are answered elsewhere than where they were sent to: rules translate them. */
export async function* movedFlows(): AsyncGenerator<readonly TrackedFlow[], void, void> {
  for await (const flows of flowsByStatus(DESTINATION_TRANSLATED, DESTINATION_TRANSLATED))
    yield flows.filter(
      ({ protocol, destination, answering }) =>
        protocol === 'TCP' &&
        (destination.port !== answering.port || destination.address !== answering.address),
    );
}

async function* flowsByStatus(
  status: number,
  mask: number,
): AsyncGenerator<readonly TrackedFlow[], void, void> {
  const body = [fixed(ANY_FAMILY), attribute(STATUS, uint32(status)), attribute(STATUS_MASK, uint32(mask))];
  for await (const messages of dump(NETLINK_PROTOCOLS.NETFILTER, { type: CT_GET, body }))
    yield messages.flatMap((one) => readFlow(one) ?? []);
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
export function forgetFlows(flows: readonly TrackedFlow[]): Promise<readonly number[]> {
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
  const tuple = attributes.get(TUPLE_ORIGINAL);
  const opened = readTuple(tuple);
  const answered = readTuple(attributes.get(TUPLE_REPLY));
  if (tuple === undefined || opened === undefined || answered === undefined) return undefined;
  const { protocol, source, destination } = opened;
  // Buffers of a dump are used again: what is kept has to be copied.
  const entry = {
    family: body[0] ?? 0,
    tuple: tuple.slice(),
    id: (attributes.get(ENTRY_ID) ?? new Uint8Array(4)).slice(),
  };
  return {
    protocol,
    source,
    destination,
    answering: answered.source,
    answered: answered.destination,
    isAssured: (readUint32(attributes.get(STATUS) ?? NOTHING) & ASSURED) !== 0,
    ...readTcp(attributes),
    bytesSent: readBytes(attributes.get(COUNTED_ORIGINAL)),
    bytesReceived: readBytes(attributes.get(COUNTED_REPLY)),
    entry,
  };
}

function readTcp(attributes: ReadonlyMap<number, Uint8Array>): Pick<TrackedFlow, 'tcpState' | 'isPickedUp'> {
  const [info, tcp, state] = TCP_STATE_PATH;
  const known = attributes.get(info);
  const ofTcp = known && readAttributes(known).get(tcp);
  if (ofTcp === undefined) return { tcpState: undefined };
  const found = readAttributes(ofTcp);
  const isPickedUp = TCP_FLAGS.every((flags) => ((found.get(flags)?.[0] ?? 0) & LIBERAL) !== 0);
  return { tcpState: found.get(state)?.[0], ...(isPickedUp ? { isPickedUp } : {}) };
}

function readBytes(counters: Uint8Array | undefined): number {
  if (counters === undefined) return 0;
  return readUint64(readAttributes(counters).get(COUNTED_BYTES) ?? NOTHING);
}

function readTuple(
  tuple: Uint8Array | undefined,
): { readonly protocol: Protocol; readonly source: Side; readonly destination: Side } | undefined {
  if (tuple === undefined) return undefined;
  const parts = readAttributes(tuple);
  const [addresses, ports] = [parts.get(TUPLE_ADDRESSES), parts.get(TUPLE_PORTS)];
  if (addresses === undefined || ports === undefined) return undefined;
  const [address, port] = [readAttributes(addresses), readAttributes(ports)];
  const protocol = PROTOCOL_BY_NUMBER[port.get(PROTOCOL_NUMBER)?.[0] ?? 0];
  const source = SOURCES.map((type) => address.get(type)).find((bytes) => bytes !== undefined);
  const destination = DESTINATIONS.map((type) => address.get(type)).find((bytes) => bytes !== undefined);
  const [from, to] = [port.get(SOURCE_PORT), port.get(DESTINATION_PORT)];
  if (protocol === undefined || source === undefined || destination === undefined) return undefined;
  if (from === undefined || to === undefined) return undefined;
  return {
    protocol,
    source: { address: addressText(source), port: portAt(from, 0) },
    destination: { address: addressText(destination), port: portAt(to, 0) },
  };
}
