/**
 * A directory of manifests as the cluster: watched, each edit in force within 200 ms. Fail static: what cannot be
 * read leaves the last good state (see `keepLastGood`).
 *
 * Any event leads to a look at the whole directory, by `stat`: what is decided rests on what the files are, not on
 * which events arrived. Files are read synchronously, so that a look is one step and never meets another.
 */
import { type BigIntStats, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import type { Cluster } from '../../policy/index.ts';
import { clusterChanges } from '../../policy/index.ts';
import {
  describeProblem,
  keepLastGood,
  listManifests,
  losesObjects,
  type ManifestFile,
  type ManifestProblem,
  type MergedCluster,
  mergeManifests,
  readManifestFile,
} from '../../sources/index.ts';
import type { ClusterSource, SourceListener } from '../source.ts';
import { DirectoryWatch } from './directory_watch.ts';

/** Quiet time before a look: one save makes several events. */
const DEBOUNCE_MS = 5;
/** A look happens at the latest this long after the first event, however many follow. */
const DEBOUNCE_LIMIT_MS = 60;
/**
 * A file that is gone, broken or short of objects may be in the middle of being saved: the last good state stays
 * until it has been the same for this long. With the debounce well below the 200 ms that an edit may take.
 */
const SETTLE_MS = 60;
/** Looks without an event: edits behind a link, and filesystems that send none. */
const RESCAN_MS = 1_000;
/** The same where the directory cannot be watched: still within the 200 ms. */
const POLL_MS = 80;
/** Two writes within one tick of the kernel's clock (4 ms, or 10 at HZ=100) can leave the same times behind. */
const RACY_MS = 50;

/** What is known of one file. */
interface FileState {
  /** In force. Absent until the file has been taken in once. */
  readonly file?: ManifestFile;
  /** Identity and times of the content last read. */
  readonly stamp: string;
  /** Set while the content last read is not yet trusted. */
  readonly unsettled?: { readonly next: ManifestFile | undefined; readonly sinceMs: number };
  /** Written so shortly before the last read that the stamp cannot be trusted. */
  readonly racy: boolean;
}

/**
 * Opens a directory and watches it.
 * @throws SluiceError `MANIFEST_UNREADABLE` when the directory cannot be read. Broken files do not throw.
 */
export async function openDirectorySource(dir: string, log: Logger): Promise<ClusterSource> {
  const source = new DirectorySource(dir, log);
  try {
    source.open();
  } catch (cause) {
    await source.close();
    const reason = messageOf(cause);
    throw new SluiceError('MANIFEST_UNREADABLE', `${dir} cannot be read: ${reason}`, { cause });
  }
  return source;
}

class DirectorySource implements ClusterSource {
  /** The same files make the same cluster, however they came to be. */
  readonly changeOrder = 'found';
  readonly #dir: string;
  readonly #log: Logger;
  readonly #watch: DirectoryWatch;
  readonly #listeners = new Set<SourceListener>();
  readonly #files = new Map<string, FileState>();
  #merged: MergedCluster = mergeManifests([]);
  #problems: readonly ManifestProblem[] = [];
  /** Something of `#files` is not in `#merged` yet. */
  #unmerged = true;
  #timer: NodeJS.Timeout | undefined;
  #firstEventMs: number | undefined;
  #closed = false;
  #watchFailed = false;

  constructor(dir: string, log: Logger) {
    this.#dir = dir;
    this.#log = log;
    this.#watch = new DirectoryWatch(
      () => this.#onEvent(),
      (path, err) => {
        if (!this.#watchFailed)
          log.warn({ err, path }, `cannot watch directory: looking every ${POLL_MS} ms instead`);
        this.#watchFailed = true;
      },
    );
  }

  get cluster(): Cluster {
    return this.#merged.cluster;
  }

  get problems(): readonly ManifestProblem[] {
    return this.#problems;
  }

  open(): void {
    this.#look('first');
    this.#schedule();
  }

  onChange(listener: SourceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async refresh(): Promise<void> {
    this.#lookAgain();
    for (let waitMs = this.#settledInMs(); waitMs !== undefined; waitMs = this.#settledInMs()) {
      await delay(waitMs);
      if (this.#closed) return;
      this.#lookAgain();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watch.close();
    this.#listeners.clear();
  }

  #onEvent(): void {
    if (this.#closed) return;
    this.#firstEventMs ??= performance.now();
    this.#schedule();
  }

  /** Plans the next look: after an event, after an unsettled file has had its time, or just in case. */
  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#lookAgain(), this.#delayMs());
  }

  #delayMs(): number {
    if (this.#firstEventMs !== undefined) {
      const left = this.#firstEventMs + DEBOUNCE_LIMIT_MS - performance.now();
      return Math.max(0, Math.min(DEBOUNCE_MS, left));
    }
    const usual = this.#watch.complete ? RESCAN_MS : POLL_MS;
    return Math.min(usual, this.#settledInMs() ?? usual);
  }

  /** Time until the next file may be trusted; `undefined` when all are. */
  #settledInMs(): number | undefined {
    let sinceMs: number | undefined;
    for (const { unsettled } of this.#files.values())
      if (unsettled !== undefined) sinceMs = Math.min(sinceMs ?? unsettled.sinceMs, unsettled.sinceMs);
    return sinceMs === undefined
      ? undefined
      : Math.max(0, Math.ceil(sinceMs + SETTLE_MS - performance.now()));
  }

  #lookAgain(): void {
    if (this.#closed) return;
    this.#firstEventMs = undefined;
    try {
      this.#look('again');
    } catch (cause) {
      const reason = messageOf(cause);
      const message = `cannot be read, the last state stays in force: ${reason}`;
      this.#publish(this.#merged, [{ file: this.#dir, document: 0, message, severity: 'error' }]);
    }
    this.#schedule();
  }

  /** @throws Error of `node:fs` when the directory cannot be listed; what is in force has not changed then. */
  #look(time: 'first' | 'again'): void {
    this.#watch.begin();
    const paths = listManifests(this.#dir, (path) => this.#watch.add(path));
    this.#watch.end(paths.directories);
    const nowMs = performance.now();
    const present = new Set(paths.files);
    const gone = [...this.#files.keys()].filter((known) => !present.has(known));
    for (const path of paths.files) this.#lookAt(path, statOf(path), nowMs, time);
    for (const path of gone) this.#lookAt(path, 'gone', nowMs, time);
    const files = [...this.#files.values()].flatMap((state) => state.file ?? []);
    const merged = this.#unmerged ? mergeManifests(files, this.#merged) : this.#merged;
    this.#unmerged = false;
    this.#publish(merged, [...files.flatMap((file) => file.problems), ...merged.problems]);
  }

  /**
   * Looks at one file, and takes in what is new and trusted.
   * @param stat undefined for a file that is listed and cannot be looked at, such as a link that leads nowhere: it is broken
   */
  #lookAt(
    path: string,
    stat: BigIntStats | undefined | 'gone',
    nowMs: number,
    time: 'first' | 'again',
  ): void {
    const state = this.#files.get(path) ?? { stamp: '', racy: true };
    const known = stampOf(stat);
    const { file, unsettled } = state;
    const current = unsettled ? unsettled.next : file;
    let next = current;
    if (stat === 'gone') next = undefined;
    else if (known.stamp !== state.stamp || state.racy) next = readManifestFile(path, { previous: current });

    if (next?.text !== current?.text) {
      const suspect = next === undefined || next.broken || losesObjects(file, next);
      if (!suspect || time === 'first') this.#take(path, next, known);
      else this.#files.set(path, { ...state, ...known, unsettled: { next, sinceMs: nowMs } });
    } else if (unsettled !== undefined && nowMs - unsettled.sinceMs >= SETTLE_MS) {
      this.#take(path, unsettled.next, known);
    } else if (this.#files.has(path)) {
      this.#files.set(path, { ...state, ...known });
    }
  }

  #take(path: string, next: ManifestFile | undefined, known: { stamp: string; racy: boolean }): void {
    const previous = this.#files.get(path)?.file;
    if (next === undefined) this.#files.delete(path);
    else this.#files.set(path, { ...known, file: keepLastGood(previous, next) });
    this.#unmerged = true;
  }

  #publish(merged: MergedCluster, problems: readonly ManifestProblem[]): void {
    const before = new Set(this.#problems.map(describeProblem));
    const after = new Set(problems.map(describeProblem));
    const sameProblems = before.size === after.size && [...after].every((text) => before.has(text));
    const changes = clusterChanges(this.#merged.cluster, merged.cluster);
    this.#merged = merged;
    this.#problems = problems;
    for (const problem of problems) {
      const text = describeProblem(problem);
      if (before.delete(text)) continue;
      this.#log[problem.severity === 'error' ? 'error' : 'warn']({ problem }, `manifest: ${text}`);
    }
    for (const text of before) if (!after.has(text)) this.#log.info(`manifest problem is gone: ${text}`);
    if (changes.length > 0 || !sameProblems)
      for (const listener of this.#listeners) listener.clusterChanged(changes);
  }
}

/** Undefined for what cannot be looked at. */
function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

/** Identity and times; the empty text where there are none, which is then looked at each time. */
function stampOf(stat: BigIntStats | undefined | 'gone'): Pick<FileState, 'stamp' | 'racy'> {
  if (stat === 'gone') return { stamp: '', racy: false };
  if (stat === undefined) return { stamp: '', racy: true };
  const stamp = `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`;
  return { stamp, racy: isRacy(stat) };
}

function isRacy(stat: BigIntStats): boolean {
  return Date.now() - Number(stat.mtimeMs) < RACY_MS;
}
