/** How full the accept queue of a listener is. Source: sock_diag(7), `inet_diag_msg`. */

import { NETLINK_PROTOCOLS, type NetlinkMessage, readHostUint32 } from '../../native/index.ts';
import type { Side } from './conntrack.ts';
import { ask } from './exchange.ts';
import { socketQuestion, TCP_LISTEN } from './socket_question.ts';

/** Where things are in `struct inet_diag_msg`. */
const STATE_AT = 1;
const QUEUE_AT = 56;
const QUEUE_MAX_AT = 60;
const MESSAGE_BYTES = 72;

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
  // For the listener that a SYN from one of these ports of no address would reach: nobody is connected from there.
  const questions = Array.from({ length: clients }, (_, port) =>
    socketQuestion(place, { address: undefined, port }),
  );
  return ask(NETLINK_PROTOCOLS.SOCK_DIAG, questions, (found) => roomOf(found) ?? null).then((list) =>
    list.map((room) => room ?? undefined),
  );
}

function roomOf(found: NetlinkMessage | undefined): number | undefined {
  if (found === undefined || found.body.length < MESSAGE_BYTES) return undefined;
  if (found.body[STATE_AT] !== TCP_LISTEN) return undefined;
  const [queued, max] = [readHostUint32(found.body, QUEUE_AT), readHostUint32(found.body, QUEUE_MAX_AT)];
  return Math.max(0, max + 1 - queued); // sk_acceptq_is_full() of the kernel: full is one more than the maximum
}
