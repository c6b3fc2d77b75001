/** How full the accept queue of a listener is. Source: sock_diag(7), `inet_diag_msg`. */

import { hostUint32, NETLINK_PROTOCOLS, type NetlinkMessage, readHostUint32 } from '../../native/index.ts';
import { familyOf } from '../../policy/index.ts';
import { addressBytes } from './address_bytes.ts';
import type { Side } from './conntrack.ts';
import { ask, type Order } from './exchange.ts';

const SOCK_DIAG_BY_FAMILY = 20;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
const TCP_LISTEN = 10;

/** Where things are in `struct inet_diag_msg`. */
const STATE_AT = 1;
const QUEUE_AT = 56;
const QUEUE_MAX_AT = 60;
const MESSAGE_BYTES = 72;
const ADDRESS_BYTES = 16;
const NO_COOKIE = new Uint8Array(8).fill(0xff);

/**
 * How often a listener is asked for when one is full: of several on one port (SO_REUSEPORT) the kernel picks by the client's
 * port, and a port is full only when all of them are.
 */
const CLIENTS_TRIED = 8;

/**
 * Connections that the listener of an address and port still has room for; 0: it is full. `undefined` where nobody listens.
 * @throws SluiceError `NETLINK_*` or `SOCKET_*`
 */
export async function backlogRoom(place: Side): Promise<number | undefined> {
  const [first] = await rooms(place, 1);
  if (first !== 0) return first;
  const known = (await rooms(place, CLIENTS_TRIED)).filter((room) => room !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function rooms(place: Side, clients: number): Promise<readonly (number | undefined)[]> {
  const questions = Array.from({ length: clients }, (_, index) => question(place, index));
  return ask(NETLINK_PROTOCOLS.SOCK_DIAG, questions, (found) => roomOf(found) ?? null).then((list) =>
    list.map((room) => room ?? undefined),
  );
}

/** For the listener that a SYN from `clientPort` of no address would reach: nobody is connected from there. */
function question({ address, port }: Side, clientPort: number): Order {
  const source = new Uint8Array(ADDRESS_BYTES);
  source.set(addressBytes(address));
  const body = Buffer.concat([
    Uint8Array.of(familyOf(address) === 6 ? AF_INET6 : AF_INET, IPPROTO_TCP, 0, 0),
    hostUint32(1 << TCP_LISTEN),
    Uint8Array.of(port >>> 8, port & 0xff, clientPort >>> 8, clientPort & 0xff),
    source,
    new Uint8Array(ADDRESS_BYTES),
    hostUint32(0),
    NO_COOKIE,
  ]);
  return { type: SOCK_DIAG_BY_FAMILY, body: [body] };
}

function roomOf(found: NetlinkMessage | undefined): number | undefined {
  if (found === undefined || found.body.length < MESSAGE_BYTES) return undefined;
  if (found.body[STATE_AT] !== TCP_LISTEN) return undefined;
  const [queued, max] = [readHostUint32(found.body, QUEUE_AT), readHostUint32(found.body, QUEUE_MAX_AT)];
  return Math.max(0, max + 1 - queued); // sk_acceptq_is_full() of the kernel: full is one more than the maximum
}
