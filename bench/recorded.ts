/** The pages of all recorded benchmarks. */
import { costPages, writePages } from './report/recorded.ts';
import { scalePages } from './scale/recorded.ts';

/** The pages and their plots as they should be, by path from docs/. */
export function recordedPages(): ReadonlyMap<string, string> {
  return new Map([...costPages(), ...scalePages()]);
}

/** Writes what is not as it should be; returns the paths from docs/. */
export function writeRecordedPages(): readonly string[] {
  return writePages(recordedPages());
}
