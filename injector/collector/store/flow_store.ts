/**
 * What was counted, on disk: minutes for a day, hours and single events for a month, in files of one day each. Fails static: what
 * cannot be written waits within a bound, and what has no place is reported as lost; after a while it is tried again.
 */
import { mkdirSync, renameSync } from 'node:fs';
import { codeOf, messageOf } from '../../../common/errno.ts';
import { addLostAt, type EdgeSums, type LostByWhere, type LostWhere, type Said } from '../sums/index.ts';
import { DayFile, OtherVersion, type StoredEvent } from './day_file.ts';
import {
  brokenDays,
  brokenPath,
  DAY_MS,
  dayName,
  dayOf,
  dayPath,
  type NamedDay,
  RESOLUTIONS,
  type Resolution,
  removeBroken,
  removeDay,
  storedDays,
} from './day_names.ts';
import { Unwritten, type UnwrittenLimits } from './unwritten.ts';

/** Length of a step, ms. */
export const STORED_STEP_MS: Readonly<Record<Resolution, number>> = { minutes: 60_000, hours: 3_600_000 };

/** After a failure the store is tried again, ms. */
const RETRY_MS = 10_000;

/** Sizes are looked at, and files that are over are deleted, ms. */
const PRUNE_MS = 10_000;

/** What waits: the kinds of a busy minute, some 50 MB for both resolutions. */
const UNWRITTEN: UnwrittenLimits = { maxSums: 50_000, maxEvents: 10_000 };

/** Codes of SQLite for a file whose content is of no use. Source: sqlite.org/rescode.html */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** What a store needs. */
export interface FlowStoreParts {
  readonly folder: string;
  /** How long minutes are kept, and hours with single events, ms. */
  readonly keptMs: Readonly<Record<Resolution, number>>;
  /** All files together. */
  readonly maxBytes: number;
  readonly saidOf: (key: string) => Said | undefined;
  /** There was no place for flows. */
  readonly lost: (where: LostWhere, flows: number) => void;
  /** The store fails, or goes on: why. Once for each change. */
  readonly changed: (problem: string | undefined) => void;
  readonly unwritten?: UnwrittenLimits;
  readonly retryMs?: number;
}

/** One store. Times are ms since 1970. */
export class FlowStore {
  readonly #parts: FlowStoreParts;
  readonly #unwritten: Readonly<Record<Resolution, Unwritten>>;
  readonly #open = new Map<string, DayFile>();
  #problem: string | undefined;
  #retryAtMs = Number.NEGATIVE_INFINITY;
  #prunedAtMs = Number.NEGATIVE_INFINITY;
  #bytes = 0;
  #oldestMs: number | undefined;

  constructor(parts: FlowStoreParts) {
    this.#parts = parts;
    const limits = parts.unwritten ?? UNWRITTEN;
    this.#unwritten = {
      minutes: new Unwritten(STORED_STEP_MS.minutes, limits),
      hours: new Unwritten(STORED_STEP_MS.hours, limits),
    };
  }

  /** Size of all files, as of the last look. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Begin of the first step that is kept; undefined: none is yet. */
  get oldestMs(): number | undefined {
    return this.#oldestMs;
  }

  /** Why nothing is written; undefined: it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  add(atMs: number, key: string, sums: EdgeSums): void {
    for (const resolution of RESOLUTIONS) {
      const unwritten = this.#unwritten[resolution];
      if (unwritten.add(atMs, key, sums)) continue;
      unwritten.lose(atMs, resolution, sums.flows);
      this.#parts.lost(resolution, sums.flows);
    }
  }

  /** Flows are lost somewhere: answers say so. */
  lose(atMs: number, where: LostWhere, flows: number): void {
    for (const resolution of RESOLUTIONS) this.#unwritten[resolution].lose(atMs, where, flows);
  }

  /** @returns false: there was no place */
  addEvent(event: StoredEvent): boolean {
    return this.#unwritten.hours.addEvent(event);
  }

  /** Writes what waits, unless the last try has just failed. */
  flush(nowMs: number): void {
    if (nowMs < this.#retryAtMs) return;
    try {
      if (nowMs - this.#prunedAtMs >= PRUNE_MS) this.#prune(nowMs);
      this.#checkRoom(nowMs);
      for (const resolution of RESOLUTIONS) this.#flushOne(resolution);
      this.#closeOld(nowMs);
      this.#is(undefined);
    } catch (error) {
      this.#closeAll();
      this.#retryAtMs = nowMs + (this.#parts.retryMs ?? RETRY_MS);
      this.#is(messageOf(error));
    }
  }

  /**
   * Sums of a span, from files and from what waits, file by file: who has to do other things does them between two.
   * @param resolution of what is read
   * @param unread is told of each file of the span that cannot be read, in a sentence
   */
  *read(
    resolution: Resolution,
    sinceMs: number,
    untilMs: number,
    unread: (why: string) => void = () => undefined,
  ): Generator<Iterable<[string, EdgeSums]>, void> {
    const stepMs = STORED_STEP_MS[resolution];
    const from = sinceMs - (sinceMs % stepMs);
    for (const dayMs of this.#daysOf(resolution, from, untilMs, unread)) {
      const file = this.#file(resolution, dayMs, unread);
      if (file !== undefined) yield file.read(from, untilMs);
    }
    for (const dayMs of this.#daysOf(resolution, from, untilMs, unread, brokenDays))
      unread(`${dayName(resolution, dayMs)} could not be read, and was set aside`);
    const waiting: [string, EdgeSums][] = [];
    for (const [, key, sums] of this.#unwritten[resolution].sums(from, untilMs)) waiting.push([key, sums]);
    yield waiting;
  }

  /** Flows of a span that are known to be lost. */
  lost(resolution: Resolution, sinceMs: number, untilMs: number): LostByWhere {
    const stepMs = STORED_STEP_MS[resolution];
    const from = sinceMs - (sinceMs % stepMs);
    const sum = new Map<LostWhere, number>();
    for (const dayMs of this.#daysOf(resolution, from, untilMs))
      for (const [where, flows] of this.#file(resolution, dayMs)?.lost(from, untilMs) ?? [])
        addLostAt(sum, where, flows);
    for (const [, where, flows] of this.#unwritten[resolution].lost(from, untilMs))
      addLostAt(sum, where, flows);
    return sum;
  }

  /** The latest single events of a span, the newest first. */
  events(sinceMs: number, untilMs: number, limit: number): readonly StoredEvent[] {
    const waiting = this.#unwritten.hours.events.filter(({ atMs }) => atMs >= sinceMs && atMs < untilMs);
    const found = [...waiting].reverse().slice(0, limit);
    for (const dayMs of [...this.#daysOf('hours', sinceMs, untilMs)].reverse()) {
      if (found.length >= limit) break;
      found.push(...(this.#file('hours', dayMs)?.events(sinceMs, untilMs, limit - found.length) ?? []));
    }
    return found;
  }

  /** Begin of the first step of a resolution that is there; undefined: none is. */
  oldestOf(resolution: Resolution): number | undefined {
    try {
      for (const { resolution: other, dayMs } of storedDays(this.#parts.folder)) {
        const oldest = other === resolution ? this.#file(resolution, dayMs)?.oldestMs : undefined;
        if (oldest !== undefined) return oldest;
      }
    } catch {
      // The folder is away: what waits is all there is.
    }
    return undefined;
  }

  close(nowMs: number): void {
    this.#retryAtMs = Number.NEGATIVE_INFINITY;
    this.flush(nowMs);
    this.#closeAll();
  }

  #flushOne(resolution: Resolution): void {
    const unwritten = this.#unwritten[resolution];
    for (const dayMs of unwritten.days(dayOf)) {
      const untilMs = dayMs + DAY_MS;
      const file = this.#fileFor(resolution, dayMs);
      try {
        file.write({
          sums: unwritten.sums(dayMs, untilMs),
          lost: unwritten.lost(dayMs, untilMs),
          events: resolution === 'hours' ? unwritten.events.filter(({ atMs }) => dayOf(atMs) === dayMs) : [],
          saidOf: this.#parts.saidOf,
        });
      } catch (error) {
        this.#setAsideIfBroken(dayPath(this.#parts.folder, resolution, dayMs), error);
        throw error;
      }
      unwritten.written(dayMs, untilMs);
    }
  }

  /** Opens or makes it. One that is broken is set aside, and a new one begun. */
  #fileFor(resolution: Resolution, dayMs: number): DayFile {
    const path = dayPath(this.#parts.folder, resolution, dayMs);
    const open = this.#open.get(path);
    if (open !== undefined) return open;
    mkdirSync(this.#parts.folder, { recursive: true });
    try {
      const file = new DayFile(path);
      this.#open.set(path, file);
      return file;
    } catch (error) {
      this.#setAsideIfBroken(path, error);
      throw error;
    }
  }

  /**
   * For reading; undefined where there is none that can be read.
   * @param unread is not told of one that has been set aside: see `brokenDays`
   */
  #file(resolution: Resolution, dayMs: number, unread?: (why: string) => void): DayFile | undefined {
    try {
      return this.#fileFor(resolution, dayMs);
    } catch (error) {
      if (!isBroken(error)) unread?.(`${dayName(resolution, dayMs)} could not be read: ${messageOf(error)}`);
      return undefined;
    }
  }

  #setAsideIfBroken(path: string, error: unknown): void {
    if (!isBroken(error)) return;
    this.#open.get(path)?.close();
    this.#open.delete(path);
    renameSync(path, brokenPath(path));
    removeDay(path); // what SQLite had beside it
  }

  /** Begins of the days of a span that there are files of. Where the folder is not there yet, none. */
  #daysOf(
    resolution: Resolution,
    sinceMs: number,
    untilMs: number,
    unread?: (why: string) => void,
    listed: (folder: string) => readonly NamedDay[] = storedDays,
  ): readonly number[] {
    try {
      return listed(this.#parts.folder)
        .filter((one) => one.resolution === resolution && one.dayMs + DAY_MS > sinceMs && one.dayMs < untilMs)
        .map(({ dayMs }) => dayMs);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') unread?.(`the folder of flows could not be read: ${messageOf(error)}`);
      return [];
    }
  }

  /** Deletes what is over, and the oldest of what is too much. What is of today stays. */
  #prune(nowMs: number): void {
    const { folder, keptMs, maxBytes } = this.#parts;
    mkdirSync(folder, { recursive: true });
    const days = [...storedDays(folder)];
    let bytes = days.reduce((sum, day) => sum + day.bytes, 0);
    for (const day of days) {
      const isOver = day.dayMs + DAY_MS + keptMs[day.resolution] <= nowMs;
      const isTooMuch = bytes > maxBytes && day.dayMs < dayOf(nowMs);
      if (!isOver && !isTooMuch) continue;
      this.#open.get(day.path)?.close();
      this.#open.delete(day.path);
      removeDay(day.path);
      bytes -= day.bytes;
    }
    removeBroken(folder, dayOf(nowMs) - DAY_MS);
    this.#bytes = bytes;
    this.#prunedAtMs = nowMs;
    this.#oldestMs = this.#oldest();
  }

  /** The first hour may have begun long before the first flow: the first minute is nearer, where its file is open as of now. */
  #oldest(): number | undefined {
    const hour = this.oldestOf('hours');
    if (hour === undefined) return undefined;
    const minute = this.#open.get(dayPath(this.#parts.folder, 'minutes', dayOf(hour)))?.oldestMs;
    const isOfIt = minute !== undefined && minute >= hour && minute < hour + STORED_STEP_MS.hours;
    return isOfIt ? minute : hour;
  }

  #checkRoom(nowMs: number): void {
    const { maxBytes } = this.#parts;
    if (this.#bytes <= maxBytes) return;
    this.#prune(nowMs);
    if (this.#bytes > maxBytes) throw new Error(`the files of one day are larger than ${maxBytes} bytes`);
  }

  /** Files of earlier days are read seldom. */
  #closeOld(nowMs: number): void {
    for (const [path, file] of this.#open) {
      const isRecent = RESOLUTIONS.some((one) => path === dayPath(this.#parts.folder, one, dayOf(nowMs)));
      if (isRecent) continue;
      file.close();
      this.#open.delete(path);
    }
  }

  #closeAll(): void {
    for (const file of this.#open.values()) {
      try {
        file.close();
      } catch {
        // It is given up anyway.
      }
    }
    this.#open.clear();
  }

  #is(problem: string | undefined): void {
    if ((problem === undefined) === (this.#problem === undefined)) {
      this.#problem = problem;
      return;
    }
    this.#problem = problem;
    this.#parts.changed(problem);
  }
}

function isBroken(error: unknown): boolean {
  if (error instanceof OtherVersion) return true;
  const code = (error as { readonly errcode?: unknown }).errcode;
  return typeof code === 'number' && [SQLITE_CORRUPT, SQLITE_NOTADB].includes(code & 0xff);
}
