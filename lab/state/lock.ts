/**
 * One writer per lab. The lock is a listening abstract unix socket: the kernel keeps it exclusive and releases it
 * with the process, however that ends, so there is no stale lock file to clean up.
 */

import { connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';

/** How often a waiting command asks for the lock again, in milliseconds. */
const RETRY_MS = 50;

/** How long to wait for the holder to say who it is, in milliseconds. */
const HOLDER_ANSWER_MS = 1000;

/** A held lock. */
export interface LabLock {
  release(): Promise<void>;
}

/**
 * Takes the lock of a lab.
 * @param doing what the holder does, for those who find it locked: "up"
 * @param waitMs how long to wait for another holder, in milliseconds; 0: not at all
 * @throws SluiceError `LAB_BUSY`
 */
export async function lockLab(lab: string, doing: string, waitMs: number): Promise<LabLock> {
  const path = `\0sluice-lab-${lab}`;
  const giveUpAt = Date.now() + waitMs;
  for (;;) {
    const lock = await tryLock(path, `${doing} (process ${process.pid})`);
    if (lock !== undefined) return lock;
    if (Date.now() >= giveUpAt) break;
    await delay(RETRY_MS);
  }
  const holder = await askHolder(path);
  throw new SluiceError(
    'LAB_BUSY',
    `lab ${lab} is being changed by ${holder}: wait until that has ended, or stop it, and try again`,
  );
}

function tryLock(path: string, holder: string): Promise<LabLock | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.end(holder);
    });
    server.once('error', (error) => {
      if (codeOf(error) === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => {
      server.unref();
      resolve({ release: () => new Promise((done) => server.close(() => done())) });
    });
  });
}

function askHolder(path: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path);
    socket.setTimeout(HOLDER_ANSWER_MS, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(text === '' ? 'another command' : text));
  });
}
