/** Finds what somebody may have meant by a name that does not exist: of a command, a flag, an object. */
import { editDistance } from '../common/edit_distance.ts';
import { printable } from '../common/printable.ts';

/** How many names are offered. */
const MAX_OFFERED = 2;

/** Names that are longer look like nothing: no object's is. Characters. */
const MAX_NAME = 512;

/** Edits after which two names no longer look alike: a third of the length, at least 1. */
function tolerance(name: string): number {
  return Math.max(1, Math.floor(name.length / 3));
}

/** Characters of a name from which on a longer one that begins with it is like it. */
const MIN_BEGINNING = 3;

/** Names like `wanted`, nearest first, ties by name; `a/web-server` is like `a/web`. Of `namespace/name` the right name elsewhere counts, and then no other. */
function nearNames(wanted: string, known: Iterable<string>): readonly string[] {
  if (wanted.length > MAX_NAME) return [];
  const wantedName = lastPart(wanted);
  const scored: { name: string; distance: number }[] = [];
  for (const name of known) {
    const distance =
      lastPart(name) === wantedName
        ? 0
        : (editDistance(wanted, name, tolerance(wanted)) ??
          (isLonger(wanted, name) ? wanted.length : undefined));
    if (distance !== undefined) scored.push({ name, distance });
  }
  scored.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  const exact = scored.filter(({ distance }) => distance === 0);
  return (exact.length > 0 ? exact : scored).slice(0, MAX_OFFERED).map((entry) => entry.name);
}

/** The hint for an error message; empty when nothing is near. */
export function didYouMean(wanted: string, known: Iterable<string>): string {
  const names = nearNames(wanted, known);
  return names.length === 0 ? '' : `; did you mean ${names.map(printable).join(' or ')}?`;
}

/** The hint of the first list of names that has one: from the likeliest to the least. They are made only when they are asked. */
export function firstHint(wanted: string, known: readonly (() => Iterable<string>)[]): string {
  for (const names of known) {
    const hint = didYouMean(wanted, names());
    if (hint !== '') return hint;
  }
  return '';
}

/** Whether a name of the same namespace has more words behind those that are wanted. */
function isLonger(wanted: string, name: string): boolean {
  const [space] = wanted.split('/', 1);
  return (
    wanted.includes('/') &&
    name.startsWith(`${space}/`) &&
    lastPart(wanted).length >= MIN_BEGINNING &&
    lastPart(name).startsWith(`${lastPart(wanted)}-`)
  );
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
