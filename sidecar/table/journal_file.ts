/**
 * A file with a snapshot in its first line and one change in each further line. It is bounded: what does not fit into the journal
 * takes another file. It keeps no descriptor, so it has no end.
 */
import { closeSync, constants, fstatSync, openSync, writeFile } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { promisify } from 'node:util';
import { SluiceError } from '../../common/errors.ts';
import { sealedLines } from './sealed_lines.ts';

/** The largest snapshot, bytes: some 2,500,000 peers. Three times as much fits into the pod's volume (`STATE_SIZE_LIMIT`). */
export const SNAPSHOT_MAX_BYTES = 80 * 1024 * 1024;

/** What a journal may have in any case, bytes: some 2,400 changes of one member. */
export const JOURNAL_MIN_BYTES = 256 * 1024;

/** The largest journal, as a share of the snapshot. */
const JOURNAL_SHARE = 1 / 2;

/** A journal is long when this share of the largest is used: there is room for changes until the next snapshot is written. */
const LONG_SHARE = 1 / 2;

/** rw-------: the table has the addresses of pods of other namespaces. */
const FILE_MODE = 0o600;

/** Writes all of some bytes to a descriptor. */
const writeAll = promisify(writeFile);

/** Some text, piece by piece. */
export type Pieces = Iterable<string>;

/** One such file, written by this process. */
export class JournalFile {
  #path: string;
  #snapshotBytes = 0;
  #bytes = 0;

  /** Nothing is there before `begin`. */
  constructor(path: string) {
    this.#path = path;
  }

  /** Length of the file, as far as it was written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether it is time for another snapshot. */
  get isLong(): boolean {
    const journalBytes = this.#bytes - this.#snapshotBytes;
    return journalBytes > this.#journalMaxBytes * LONG_SHARE;
  }

  get #journalMaxBytes(): number {
    return Math.max(JOURNAL_MIN_BYTES, this.#snapshotBytes * JOURNAL_SHARE);
  }

  /**
   * Writes the snapshot to a file of its own.
   * @param between called after each chunk
   * @throws SluiceError `TABLE_TOO_LARGE`, or a system error; the file is then of no use
   */
  async begin(snapshot: Pieces, between: () => Promise<void>): Promise<void> {
    const file = await open(this.#path, 'w', FILE_MODE);
    try {
      if (!(await this.#write(file.fd, [snapshot], SNAPSHOT_MAX_BYTES, between))) throw tooLarge();
      this.#snapshotBytes = this.#bytes;
    } finally {
      await file.close();
    }
  }

  /**
   * Appends changes.
   * @returns whether they fit; if not, nothing may be appended any more
   * @throws Error where the file is not as it was left, or a system error; nothing may be appended any more
   */
  async append(changes: readonly Pieces[]): Promise<boolean> {
    // Only the write may have to wait for the disk. A turn of the event loop, and of another thread, for each call costs more.
    const fd = openSync(this.#path, constants.O_WRONLY | constants.O_APPEND);
    try {
      if (fstatSync(fd).size !== this.#bytes) throw new Error(`${this.#path} was changed by another process`);
      return await this.#write(fd, changes, this.#snapshotBytes + this.#journalMaxBytes);
    } finally {
      closeSync(fd);
    }
  }

  /** Gives it the name of another file, which it replaces in one step. */
  async move(path: string): Promise<void> {
    await rename(this.#path, path);
    this.#path = path;
  }

  /** @returns whether the texts fit: the file is never longer than `maxBytes` */
  async #write(
    fd: number,
    texts: readonly Pieces[],
    maxBytes: number,
    between?: () => Promise<void>,
  ): Promise<boolean> {
    for (const chunk of sealedLines(texts)) {
      if (this.#bytes + chunk.length > maxBytes) return false;
      await writeAll(fd, chunk);
      this.#bytes += chunk.length;
      await between?.();
    }
    return true;
  }
}

function tooLarge(): SluiceError {
  return new SluiceError(
    'TABLE_TOO_LARGE',
    `a table of more than ${SNAPSHOT_MAX_BYTES} bytes is not kept on disk: have policies select fewer peers`,
  );
}
