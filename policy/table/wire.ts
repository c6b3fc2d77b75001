/**
 * What both ends of a connection know. An end refuses a frame, or a field of one, that it does not know, so neither can ask
 * the other in a frame. Over TLS they agree before the first frame: the sidecar offers names in its ClientHello, and the
 * injector picks one. Source: ALPN, RFC 7301. An end of before that offers or picks none.
 */

/**
 * - 1: what all know. Also on unix sockets: both ends are of one release there.
 * - 2: the injector says something every 2 s, and may send `moved`.
 */
export type WireVersion = 1 | 2;

/**
 * ALPN names, the best first. A sidecar offers all of them, and has to offer those of before as well: an injector that knows
 * none of the names offered ends the handshake.
 */
export const WIRE_PROTOCOLS: readonly string[] = ['sluice/2'];

/** The version that a handshake has agreed on. @param protocol as `TLSSocket.alpnProtocol` has it: none where it is no text */
export function wireVersion(protocol: string | false | null | undefined): WireVersion {
  return protocol === 'sluice/2' ? 2 : 1;
}
