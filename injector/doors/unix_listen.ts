/** Listening on a unix socket that only its owner may use, also where an earlier run left its socket file. */
import { lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { codeOrMessageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';

/**
 * Sidecars that may wait to be accepted: after a restart all come at once. One that finds no room tries again a second later,
 * then three. As much as Linux takes by default (net.core.somaxconn).
 */
export const HERD_BACKLOG = 4_096;

/** The socket's file gets mode 0600: who may connect is trusted to say which pod it is. */
const OWNER_ONLY_UMASK = 0o177;

/** `sun_path` of unix(7), without the final NUL. */
const MAX_PATH_BYTES = 107;

/**
 * Makes `server` listen at `path`. Node removes the file when the server is closed.
 * @throws SluiceError `LISTEN_PATH_IN_USE`, `LISTEN_PATH_UNUSABLE`.
 */
export async function listenUnix(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw unusable(path, `it is longer than ${MAX_PATH_BYTES} bytes; choose a shorter one`);
  await removeStale(path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(unusable(path, cause.message, cause)));
    // The file is made within this call, so it never exists with a wider mode.
    const umask = process.umask(OWNER_ONLY_UMASK);
    try {
      server.listen({ path, backlog: HERD_BACKLOG }, resolve);
    } finally {
      process.umask(umask);
    }
  });
}

/** Removes a socket file that nobody listens on. */
async function removeStale(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw unusable(path, 'a file that is no socket is there; it is left alone');
  const answer = await probe(path);
  switch (answer) {
    case 'connected':
      throw new SluiceError(
        'LISTEN_PATH_IN_USE',
        `${path}: another process listens there; stop it, or choose another path`,
      );
    case 'ECONNREFUSED':
      unlinkSync(path);
      return;
    case 'ENOENT':
      return;
    default:
      throw unusable(path, `its socket answers ${answer}; remove it if nothing uses it`);
  }
}

function probe(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path, () => resolve('connected'));
    socket.once('connect', () => socket.destroy());
    socket.once('error', (error) => resolve(codeOrMessageOf(error)));
  });
}

function unusable(path: string, reason: string, cause?: unknown): SluiceError {
  return new SluiceError('LISTEN_PATH_UNUSABLE', `cannot listen on ${path}: ${reason}`, { cause });
}
