/**
 * What both ends of a connection know. An end refuses a frame, or a field of one, that it does not know, so neither can ask
 * the other in a frame. Over TLS they agree before the first frame: the sidecar offers names in its ClientHello, and the
 * injector picks one. Source: ALPN, RFC 7301. An end of before that offers or picks none.
 */

/**
 * - 1: what all know.
 * - 2: the injector says something every 2 s, and may send `moved`.
 * - 3: the injector takes lines of flows, see `FLOWS_LINE`. Also on unix sockets: both ends are of one release there.
 */
export type WireVersion = 1 | 2 | 3;

/**
 * ALPN names, the best first. A sidecar offers all of them, and has to offer those of before as well: an injector that knows
 * none of the names offered ends the handshake.
 */
export const WIRE_PROTOCOLS: readonly string[] = ['sluice/3', 'sluice/2'];

/** The version that a handshake has agreed on. @param protocol as `TLSSocket.alpnProtocol` has it: none where it is no text */
export function wireVersion(protocol: string | false | null | undefined): WireVersion {
  if (protocol === 'sluice/3') return 3;
  return protocol === 'sluice/2' ? 2 : 1;
}

/**
 * How a line of flows begins, from a sidecar to the injector: a line of JSON that is no frame. The injector's main thread knows it by
 * these bytes, and parses nothing of it but the number that follows: how many flows are lost when the line is dropped. After that
 * comes `,"window":`, a `FlowWindow`, and `}`.
 */
export const FLOWS_LINE = '{"type":"flows","sum":';

/** Longest such line, bytes. A longer one is dropped, and the connection lives on. */
export const MAX_FLOWS_LINE_BYTES = 256 * 1024;

/** More flows than any sidecar ends in 10 s: one that says that it has lost more is not believed. */
const MAX_SUM = 10_000_000;

/** Digits that are read of a number. */
const MAX_DIGITS = 16;

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;

/**
 * A line of flows, without its newline.
 * @param sum flows that are in the window, and lost flows that it tells of
 * @param window as JSON
 */
export function flowsLine(sum: number, window: string): string {
  return `${FLOWS_LINE}${sum},"window":${window}}`;
}

/** How many flows a line of flows tells of, as it says itself; 10 million at most. */
export function flowsLineSum(line: Uint8Array): number {
  let sum = 0;
  for (let at = FLOWS_LINE.length; at < FLOWS_LINE.length + MAX_DIGITS; at += 1) {
    const byte = line[at] ?? 0;
    if (byte < DIGIT_0 || byte > DIGIT_9) break;
    sum = 10 * sum + byte - DIGIT_0;
  }
  return Math.min(sum, MAX_SUM);
}
