/** Reports when something in a set of directories may have changed. The caller looks up what it was. */

import { type FSWatcher, statSync, watch } from 'node:fs';
import { codeOf } from '../../common/errno.ts';

/** Watches directories. Coarse on purpose: editors, kubelet and rsync all write in their own ways. */
export class DirectoryWatch {
  readonly #onEvent: () => void;
  readonly #onError: (path: string, error: unknown) => void;
  readonly #watches = new Map<string, { watcher: FSWatcher; identity: string }>();
  #complete = true;

  /**
   * @param onEvent Something may have changed.
   * @param onError A directory cannot be watched (inotify's limits, most likely): the caller has to poll.
   */
  constructor(onEvent: () => void, onError: (path: string, error: unknown) => void) {
    this.#onEvent = onEvent;
    this.#onError = onError;
  }

  /** Whether every directory asked for is watched. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Begins a round: `add` each directory, then `end`. */
  begin(): void {
    this.#complete = true;
  }

  /** Watches a directory; again if another one has taken its name. Does not throw. */
  add(path: string): void {
    try {
      const stat = statSync(path);
      const identity = `${stat.dev}:${stat.ino}`;
      const known = this.#watches.get(path);
      if (known?.identity === identity) return;
      known?.watcher.close();
      this.#watches.delete(path);
      const watcher = watch(path, this.#onEvent);
      watcher.on('error', (error) => {
        this.#drop(path, watcher);
        this.#onError(path, error);
      });
      this.#watches.set(path, { watcher, identity });
    } catch (error) {
      this.#complete = false;
      if (codeOf(error) !== 'ENOENT') this.#onError(path, error);
    }
  }

  /** Ends a round: directories that were not added are no longer watched. */
  end(paths: readonly string[]): void {
    const wanted = new Set(paths);
    for (const [path, { watcher }] of this.#watches) if (!wanted.has(path)) this.#drop(path, watcher);
  }

  close(): void {
    for (const { watcher } of this.#watches.values()) watcher.close();
    this.#watches.clear();
  }

  #drop(path: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.#watches.get(path)?.watcher === watcher) this.#watches.delete(path);
  }
}
