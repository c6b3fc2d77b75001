/** The table server on a unix socket. Trust is the socket file's mode, 0600: a sidecar says itself which pod it is in. */
import { createServer, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { listenUnix } from '../doors/index.ts';
import { FrameConnection } from './frame_connection.ts';
import { ReadingTurns } from './reading_turns.ts';
import type { TableServer } from './table_server.ts';

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
  const turns = new ReadingTurns();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const connection = new FrameConnection(socket, log, turns);
    connection.read(tables.attach(connection));
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
