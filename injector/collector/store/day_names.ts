/** Names of the store's files, and their sizes. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A day, ms. */
export const DAY_MS = 86_400_000;

/** Lengths of steps that there are files of. */
export const RESOLUTIONS = ['minutes', 'hours'] as const;

/** One of them. */
export type Resolution = (typeof RESOLUTIONS)[number];

/** A file of the store. */
export interface StoredDay {
  readonly resolution: Resolution;
  /** Begin of the day in UTC, ms since 1970. */
  readonly dayMs: number;
  readonly path: string;
  /** With what belongs to it. */
  readonly bytes: number;
}

const NAME = /^(?<resolution>minutes|hours)-(?<day>\d{4}-\d{2}-\d{2})\.db$/;

const BROKEN = '.broken';

/** Files that SQLite has beside one. */
const BESIDE = ['', '-wal', '-shm'] as const;

/** The day of a time. */
export function dayOf(ms: number): number {
  return ms - (ms % DAY_MS);
}

/** `minutes-2026-11-30.db` */
export function dayPath(folder: string, resolution: Resolution, dayMs: number): string {
  return join(folder, `${resolution}-${new Date(dayMs).toISOString().slice(0, 10)}.db`);
}

/** The files in a folder, the oldest first. Other files are none of the store's. @throws as `readdirSync` */
export function storedDays(folder: string): readonly StoredDay[] {
  return readdirSync(folder)
    .flatMap((name): StoredDay[] => {
      const groups = NAME.exec(name)?.groups;
      const resolution = RESOLUTIONS.find((one) => one === groups?.resolution);
      const dayMs = Date.parse(`${groups?.day}T00:00:00Z`);
      if (resolution === undefined || Number.isNaN(dayMs)) return [];
      const path = join(folder, name);
      const bytes = BESIDE.reduce((sum, end) => sum + sizeOf(path + end), 0);
      return [{ resolution, dayMs, path, bytes }];
    })
    .sort((a, b) => a.dayMs - b.dayMs || (a.resolution === 'minutes' ? -1 : 1));
}

/** Deletes a file and what belongs to it. */
export function removeDay(path: string): void {
  for (const end of BESIDE) rmSync(path + end, { force: true });
}

/** Name under which a file that cannot be read is kept for a look at it: until the next one, or the day after the next. */
export function brokenPath(path: string): string {
  return `${path}${BROKEN}`;
}

/** Deletes those that were set aside, of days before `dayMs`. */
export function removeBroken(folder: string, dayMs: number): void {
  for (const name of readdirSync(folder)) {
    const groups = name.endsWith(BROKEN) ? NAME.exec(name.slice(0, -BROKEN.length))?.groups : undefined;
    if (groups !== undefined && Date.parse(`${groups.day}T00:00:00Z`) < dayMs)
      rmSync(join(folder, name), { force: true });
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
