/** The question about one TCP socket, by its addresses and ports. Source: sock_diag(7), `inet_diag_req_v2`. */
import { familyOf } from '../../policy/index.ts';
import { addressBytes } from './address_bytes.ts';
import type { Side } from './conntrack.ts';
import type { Order } from './exchange.ts';

/** sock_diag.h */
const SOCK_DIAG_BY_FAMILY = 20;

/** tcp_states.h: the state of a listener, which is found where no connection has the addresses and ports. */
export const TCP_LISTEN = 10;

const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;

/** Where things are in it. */
const STATES_AT = 4;
const PORTS_AT = 8;
const LOCAL_AT = 12;
const REMOTE_AT = 28;
const COOKIE_AT = 48;
const QUESTION_BYTES = 56;

/** Each byte of the cookie of a socket whose cookie is not known. */
const NO_COOKIE = 0xff;

/**
 * Asks for the socket that a packet from `remote` to `local` would reach.
 * @param remote without an address: of none
 */
export function socketQuestion(
  local: Side,
  remote: { readonly address: string | undefined; readonly port: number },
): Order {
  const body = new Uint8Array(QUESTION_BYTES);
  body[0] = familyOf(local.address) === 6 ? AF_INET6 : AF_INET;
  body[1] = IPPROTO_TCP;
  body.fill(0xff, STATES_AT, PORTS_AT); // every state
  body[PORTS_AT] = local.port >>> 8;
  body[PORTS_AT + 1] = local.port;
  body[PORTS_AT + 2] = remote.port >>> 8;
  body[PORTS_AT + 3] = remote.port;
  body.set(addressBytes(local.address), LOCAL_AT);
  if (remote.address !== undefined) body.set(addressBytes(remote.address), REMOTE_AT);
  body.fill(NO_COOKIE, COOKIE_AT);
  return { type: SOCK_DIAG_BY_FAMILY, body: [body] };
}
