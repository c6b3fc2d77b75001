/**
 * The last table, kept on disk: after a restart it is in force before the first connection is accepted, injector or not. The file
 * is a snapshot and a journal of the changes since (docs/adr/0041-snapshot-and-journal.md). A snapshot comes into place in one
 * step (rename), and a change is appended, so a crash leaves a table that was saved.
 */
import { constants, existsSync, readFileSync, statSync } from 'node:fs';
import { access, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asError, codeOf, messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { isRecord } from '../../common/shape.ts';
import {
  applyChange,
  changeText,
  fileRefused,
  readChangeFile,
  readTableFile,
  readTableFileV1,
  SCHEMA_1,
  type Table,
  type TableChange,
  tableFromV1,
  tableText,
} from '../../policy/index.ts';
import { JournalFile } from './journal_file.ts';
import { hasLines, readSealedLines } from './sealed_lines.ts';

const FILE_NAME = 'table.json';

/** The largest file that is read: more than any that is written. Bytes. */
const FILE_MAX_BYTES = 256 * 1024 * 1024;

/** A long journal is replaced so often at most, and a large snapshot is followed by another after so long at the earliest. */
const REPLACE_PAUSE_MS = 1_000;

/** After a snapshot the next one waits until at this rate it would be written, but no longer than `REPLACE_PAUSE_MS`. */
const SNAPSHOT_BYTES_PER_MS = 256;

/** A table that is too large to be kept is not put into text again sooner: that takes a second. */
const TOO_LARGE_PAUSE_MS = 60_000;

/** A table from disk, and when it was written, ms since the epoch. */
export interface KeptTable {
  readonly table: Table;
  readonly savedAtMs: number;
}

/** Who waits for a save to be on disk. */
interface Waiting {
  readonly save: number;
  readonly resolve: () => void;
}

/** The table file of one pod. */
export class TableFile {
  readonly #path: string;
  readonly #failed: (error: Error) => void;
  /** What was saved last. */
  #table: Table | undefined;
  /** Changes that lead to it from what is on disk, or is on its way there. */
  #due: TableChange[] = [];
  /** The file, where the changes that are due continue it; else the table has to be written whole. */
  #file: JournalFile | undefined;
  /** Counts the tables that came whole: what was begun for an earlier one is not continued. */
  #series = 0;
  /** Saves are numbered: the last one, and the last one that is on disk, or that the log has as lost. */
  #saved = 0;
  #settled = 0;
  #waiting: Waiting[] = [];
  #isBusy = false;
  #work = Promise.resolve();
  /** When a snapshot was begun last, and how long the next one waits from then on. Of `performance.now`. */
  #beganMs = Number.NEGATIVE_INFINITY;
  #pauseMs = 0;
  /** Until then the table counts as too large. Of `performance.now`. */
  #tooLargeUntilMs = 0;

  /** @param failed called when a write fails; the table in force is not affected */
  constructor(stateDir: string, failed: (error: Error) => void) {
    this.#path = path.join(stateDir, FILE_NAME);
    this.#failed = failed;
  }

  /**
   * The table of the pod `namespace`/`name`, or `undefined` where there is none.
   * @throws SluiceError `TABLE_MALFORMED`, or a system error, when there is a file that cannot be used
   */
  load(namespace: string, name: string): KeptTable | undefined {
    let bytes: Buffer;
    try {
      const { size } = statSync(this.#path);
      if (size > FILE_MAX_BYTES) throw fileRefused(this.#path, `it has more than ${FILE_MAX_BYTES} bytes`);
      bytes = readFileSync(this.#path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
    const table = readKept(bytes, this.#path);
    return table.subject.namespace === namespace && table.subject.name === name
      ? { table, savedAtMs: statSync(this.#path).mtimeMs }
      : undefined;
  }

  /** Makes the folder and checks that it can be written to. Rejects with what is wrong. */
  async check(): Promise<void> {
    const folder = path.dirname(this.#path);
    await makeFolder(folder);
    await access(folder, constants.W_OK);
  }

  /**
   * Keeps `table`. What comes while a write is under way is written together, right after it.
   * @param changes which led to it from the table that was saved before; absent: it is written whole
   */
  save(table: Table, changes?: readonly TableChange[]): void {
    if (changes !== undefined && leadTo(this.#table, changes, table)) {
      for (const change of changes) this.#due.push(change);
    } else {
      this.#series += 1;
      this.#file = undefined;
      this.#due = [];
    }
    this.#table = table;
    this.#saved += 1;
    if (!this.#isBusy) this.#work = this.#settleAll();
  }

  /** Resolves when what was saved so far is on disk, or was reported as failed. Never rejects. */
  flush(): Promise<void> {
    if (this.#settled === this.#saved) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ save: this.#saved, resolve });
    return promise;
  }

  /** Resolves when nothing is left to write. Never rejects. */
  async idle(): Promise<void> {
    while (this.#isBusy) await this.#work;
  }

  async #settleAll(): Promise<void> {
    this.#isBusy = true;
    while (this.#settled < this.#saved) {
      if (this.#file === undefined) await this.#replaceInTime();
      else await this.#append(this.#file);
      if (this.#isReplaceable()) await this.#replace();
    }
    // In the same step as the look at what is left: what is saved later finds nobody at work.
    this.#isBusy = false;
  }

  /** Appends what is due. If that fails, there is no file to append to any more, and the table is written whole. */
  async #append(file: JournalFile): Promise<void> {
    const save = this.#saved;
    const changes = this.#due.map(changeText);
    this.#due = [];
    const isKept = await file.append(changes).catch(() => false);
    if (isKept) this.#settle(save);
    else this.#file = undefined;
  }

  /** Whether the journal is long, and was not replaced a moment ago. */
  #isReplaceable(): boolean {
    const now = performance.now();
    return (
      this.#file?.isLong === true && now >= this.#beganMs + REPLACE_PAUSE_MS && now >= this.#tooLargeUntilMs
    );
  }

  /** Writes the table whole where somebody waits for it. */
  async #replaceInTime(): Promise<void> {
    const waitMs = this.#beganMs + this.#pauseMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    if (performance.now() >= this.#tooLargeUntilMs) return await this.#replace();
    this.#due = [];
    this.#settle(this.#saved);
  }

  /**
   * Writes the table whole to a new file, which then takes the place of the old one. Changes that come meanwhile are appended to
   * the old one, so that who waits for them does not wait for all of the table; and to the new one before it takes the place.
   */
  async #replace(): Promise<void> {
    const table = this.#table;
    if (table === undefined) return;
    const [old, series] = [this.#file, this.#series];
    const next = new JournalFile(`${this.#path}.new`);
    let save = this.#saved;
    const since: TableChange[] = [];
    this.#beganMs = performance.now();
    // What is due now is in the snapshot: it goes to the old file only.
    if (old === undefined) this.#due = [];
    else if (this.#due.length > 0) await this.#append(old);
    try {
      await makeFolder(path.dirname(this.#path));
      await next.begin(tableText(table), async () => {
        if (old === undefined || this.#file !== old || this.#due.length === 0) return;
        save = this.#saved;
        for (const change of this.#due) since.push(change);
        await this.#append(old);
      });
      if (since.length > 0 && !(await next.append(since.map(changeText)))) return await this.#drop();
      await next.move(this.#path);
      if (this.#series === series) this.#file = next;
      this.#settle(save);
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'TABLE_TOO_LARGE')
        this.#tooLargeUntilMs = performance.now() + TOO_LARGE_PAUSE_MS;
      this.#failed(asError(error));
      await this.#drop();
      this.#settle(save);
    } finally {
      this.#pauseMs = Math.min(next.bytes / SNAPSHOT_BYTES_PER_MS, REPLACE_PAUSE_MS);
    }
  }

  /** Gives the disk space of a file back that has not come into place. */
  async #drop(): Promise<void> {
    await rm(`${this.#path}.new`, { force: true }).catch(() => undefined);
  }

  #settle(save: number): void {
    this.#settled = Math.max(this.#settled, save);
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((one) => one.save > this.#settled);
    for (const one of waiting) if (one.save <= this.#settled) one.resolve();
  }
}

/** Whether changes lead from one table to another without a gap. */
function leadTo(before: Table | undefined, changes: readonly TableChange[], after: Table): boolean {
  let revision = before?.revision;
  for (const change of changes) {
    if (change.from !== revision) return false;
    revision = change.revision;
  }
  return revision === after.revision;
}

/** The table that a file holds. Refused whole where any of it is damaged or does not fit; fails closed. */
function readKept(bytes: Buffer, file: string): Table {
  // Written before there was a journal, or damaged.
  if (!hasLines(bytes)) return tableOfText(bytes.toString(), file);
  let table: Table | undefined;
  let changes = 0;
  for (const text of readSealedLines(bytes, (problem) => fileRefused(file, problem))) {
    if (table === undefined) {
      table = tableOfText(text, file);
      continue;
    }
    changes += 1;
    table = changed(table, text, `${file}, change ${changes}`);
  }
  if (table === undefined) throw fileRefused(file, 'it has no table');
  return table;
}

/** The table that a line of the journal leads to. */
function changed(table: Table, text: string, where: string): Table {
  const change = readChangeFile(text, where);
  try {
    return applyChange(table, change).table;
  } catch (error) {
    throw fileRefused(where, messageOf(error), error);
  }
}

/** The table that a text has. An earlier sidecar, which this one takes over from, has left it in schema 1. */
function tableOfText(text: string, file: string): Table {
  return schemaOf(text) === SCHEMA_1 ? tableFromV1(readTableFileV1(text, file)) : readTableFile(text, file);
}

function schemaOf(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value.schema : undefined;
  } catch {
    return undefined; // the reader says what is wrong
  }
}

/** `mkdir -p`. Node's own spins for ever where a parent is there but nothing can be made in it, as in /proc. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return;
    const parent = path.dirname(folder);
    if (code !== 'ENOENT' || existsSync(parent)) throw error;
    await makeFolder(parent);
    await mkdir(folder);
  }
}
