/** The first thing that a TLS client says, waited for before anything is done for it. Source: RFC 8446, 4.1.2 and 5.1. */
import type { Socket } from 'node:net';

const RECORD_HEADER_BYTES = 5;
const MESSAGE_HEADER_BYTES = 4;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;

/** Chunks that a hello may come in, which is 2 kB with a key of ML-KEM: more are sent to keep the reader busy. */
const MAX_CHUNKS = 16;

/**
 * Calls `whole` once the ClientHello has come. What has come until then can be read from the socket again. A connection that begins
 * with anything else is ended, and one with a hello in several records too: neither API servers nor sidecars send such.
 */
export function onHello(socket: Socket, whole: () => void): void {
  const chunks: Buffer[] = [];
  const onData = (chunk: Buffer): void => {
    chunks.push(chunk);
    const said = Buffer.concat(chunks);
    const missing = missingBytes(said);
    if (missing === undefined || (missing > 0 && chunks.length >= MAX_CHUNKS)) return void socket.destroy();
    if (missing > 0) return;
    socket.off('data', onData);
    socket.pause();
    socket.unshift(said);
    whole();
  };
  socket.on('data', onData);
  socket.once('end', () => socket.destroy());
}

/** How many bytes of the hello have not come, at least; undefined: it is none. */
function missingBytes(said: Buffer): number | undefined {
  if (said[0] !== HANDSHAKE) return undefined;
  const headers = RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES;
  if (said.length < headers) return headers - said.length;
  const record = said.readUInt16BE(3);
  if (said[RECORD_HEADER_BYTES] !== CLIENT_HELLO) return undefined;
  if (MESSAGE_HEADER_BYTES + said.readUIntBE(RECORD_HEADER_BYTES + 1, 3) !== record) return undefined;
  return Math.max(0, RECORD_HEADER_BYTES + record - said.length);
}
