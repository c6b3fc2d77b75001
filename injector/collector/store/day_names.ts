/** Names of the store's files, and their sizes. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A day, ms. */
export const DAY_MS = 86_400_000;

/** Lengths of steps that there are files of. */
export const RESOLUTIONS = ['minutes', 'hours'] as const;

/** One of them. */
export type Resolution = (typeof RESOLUTIONS)[number];

/** What a name says of a file. */
export interface NamedDay {
  readonly resolution: Resolution;
  /** Begin of the day in UTC, ms since 1970. */
  readonly dayMs: number;
}

/** A file of the store. */
export interface StoredDay extends NamedDay {
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
export function dayName(resolution: Resolution, dayMs: number): string {
  return `${resolution}-${new Date(dayMs).toISOString().slice(0, 10)}.db`;
}

/** Where it is. */
export function dayPath(folder: string, resolution: Resolution, dayMs: number): string {
  return join(folder, dayName(resolution, dayMs));
}

function namedDay(name: string): NamedDay | undefined {
  const groups = NAME.exec(name)?.groups;
  const resolution = RESOLUTIONS.find((one) => one === groups?.resolution);
  const dayMs = Date.parse(`${groups?.day}T00:00:00Z`);
  return resolution === undefined || Number.isNaN(dayMs) ? undefined : { resolution, dayMs };
}

/** The files in a folder, the oldest first. Other files are none of the store's. @throws as `readdirSync` */
export function storedDays(folder: string): readonly StoredDay[] {
  return readdirSync(folder)
    .flatMap((name): StoredDay[] => {
      const named = namedDay(name);
      if (named === undefined) return [];
      const path = join(folder, name);
      const bytes = BESIDE.reduce((sum, end) => sum + sizeOf(path + end), 0);
      return [{ ...named, path, bytes }];
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

/** Days of which a file was set aside. @throws as `readdirSync` */
export function brokenDays(folder: string): readonly NamedDay[] {
  return readdirSync(folder).flatMap((name) => {
    const named = name.endsWith(BROKEN) ? namedDay(name.slice(0, -BROKEN.length)) : undefined;
    return named === undefined ? [] : [named];
  });
}

/** Deletes those that were set aside, of days before `untilMs`. */
export function removeBroken(folder: string, untilMs: number): void {
  for (const { resolution, dayMs } of brokenDays(folder))
    if (dayMs < untilMs) rmSync(brokenPath(dayPath(folder, resolution, dayMs)), { force: true });
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
