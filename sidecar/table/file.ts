/**
 * The last table, kept on disk: after a restart it is in force before the first connection is accepted, injector or
 * not. Written in one step (rename), so a crash leaves the old or the new one.
 */
import { constants, existsSync, readFileSync, statSync } from 'node:fs';
import { access, mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { asError, codeOf } from '../../common/errno.ts';
import { LatestWins } from '../../common/latest_wins.ts';
import { readTableFile, type Table } from '../../policy/index.ts';

const FILE_NAME = 'table.json';

/** A table from disk, and when it was written, ms since the epoch. */
export interface KeptTable {
  readonly table: Table;
  readonly savedAtMs: number;
}

/** The table file of one pod. */
export class TableFile {
  readonly #path: string;
  readonly #failed: (error: Error) => void;
  readonly #writes = new LatestWins<Table>((table) => this.#write(table));

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
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
    const table = readTableFile(text, this.#path);
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

  /** Keeps `table`; while a write is under way only the latest waits. */
  save(table: Table): void {
    void this.#writes.do(table);
  }

  /** Resolves when nothing is left to write. */
  flush(): Promise<void> {
    return this.#writes.idle();
  }

  async #write(table: Table): Promise<void> {
    try {
      await makeFolder(path.dirname(this.#path));
      await writeFile(`${this.#path}.new`, JSON.stringify(table), { mode: 0o600 });
      await rename(`${this.#path}.new`, this.#path);
    } catch (error) {
      this.#failed(asError(error));
    }
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
