/** The table server on a unix socket: one frame is one line of JSON, both ways. Trust is the socket file's mode, 0600. */
import { createServer, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { InjectorFrame, SidecarFrame } from '../policy/frames.ts';
import { readSidecarFrame } from '../policy/index.ts';
import { LineReader } from './line_reader.ts';
import type { TableServer } from './table_server.ts';
import type { SessionLink } from './table_session.ts';
import { listenUnix } from './unix_listen.ts';

/** A sidecar's frames are short: the longest part is a message. */
const MAX_LINE_BYTES = 64 * 1024;

/** How long a last message may take to leave before the connection is dropped, ms. */
const FLUSH_MS = 1_000;

/** A listening server. */
export interface LocalServer {
  /** Ends all connections, stops listening and removes the socket file. */
  close(): Promise<void>;
}

/**
 * Serves tables on a unix socket.
 * @throws SluiceError as `listenUnix` does.
 */
export async function startLocalServer(tables: TableServer, path: string, log: Logger): Promise<LocalServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(tables, socket, log);
  });
  await listenUnix(server, path);
  server.on('error', (err) => log.error({ err }, 'cannot accept sidecar connections'));
  log.info({ path }, 'serving tables');
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function serve(tables: TableServer, socket: Socket, log: Logger): void {
  const session = tables.attach(new SocketLink(socket));
  const lines = new LineReader(MAX_LINE_BYTES, (line) => {
    const frame = parseFrame(line);
    if (typeof frame === 'string') session.fail(frame);
    else session.receive(frame);
  });
  socket.on('data', (chunk: Buffer) => {
    if (!lines.push(chunk)) session.fail(`a frame longer than ${MAX_LINE_BYTES} bytes`);
  });
  socket.on('error', (err) => log.debug({ err }, 'sidecar connection failed'));
  socket.on('close', () => session.closed());
}

/** The frame, or why the line is none. */
function parseFrame(line: string): SidecarFrame | string {
  try {
    return readSidecarFrame(JSON.parse(line));
  } catch (error) {
    return `not a frame: ${error instanceof Error ? error.message : String(error)}`;
  }
}

class SocketLink implements SessionLink {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  send(frame: InjectorFrame): void {
    // A Buffer, so that writableLength counts bytes.
    if (this.#socket.writable) this.#socket.write(Buffer.from(`${JSON.stringify(frame)}\n`));
  }

  close(how: 'flush' | 'drop'): void {
    const socket = this.#socket;
    if (how === 'drop') {
      socket.destroy();
      return;
    }
    // What still comes is read and dropped: unread bytes would turn the close into a reset that overtakes the message.
    socket.removeAllListeners('data');
    socket.resume();
    socket.end();
    setTimeout(() => socket.destroy(), FLUSH_MS).unref();
  }
}
