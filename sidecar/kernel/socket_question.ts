/** The question about one TCP socket, by its addresses and ports. Source: sock_diag(7), `inet_diag_req_v2`. */
import { hostUint32 } from '../../native/index.ts';
import { familyOf } from '../../policy/index.ts';
import { addressBytes } from './address_bytes.ts';
import type { Side } from './conntrack.ts';
import type { Order } from './exchange.ts';

/** sock_diag.h; messages of the kernel have it too. */
export const SOCK_DIAG_BY_FAMILY = 20;

/** tcp_states.h: the state of a listener, which is found where no connection has the addresses and ports. */
export const TCP_LISTEN = 10;

const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
const ADDRESS_BYTES = 16;
const EVERY_STATE = 0xffffffff;
const NO_COOKIE = new Uint8Array(8).fill(0xff);

/**
 * Asks for the socket that a packet from `remote` to `local` would reach.
 * @param remote without an address: of none
 * @param extensions what the answer is to have besides, a mask of INET_DIAG_*
 */
export function socketQuestion(
  local: Side,
  remote: { readonly address: string | undefined; readonly port: number },
  extensions = 0,
): Order {
  const body = Buffer.concat([
    Uint8Array.of(familyOf(local.address) === 6 ? AF_INET6 : AF_INET, IPPROTO_TCP, extensions, 0),
    hostUint32(EVERY_STATE),
    Uint8Array.of(local.port >>> 8, local.port & 0xff, remote.port >>> 8, remote.port & 0xff),
    inFull(local.address),
    inFull(remote.address),
    hostUint32(0),
    NO_COOKIE,
  ]);
  return { type: SOCK_DIAG_BY_FAMILY, body: [body] };
}

function inFull(address: string | undefined): Uint8Array {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  if (address !== undefined) bytes.set(addressBytes(address));
  return bytes;
}
