/** Finds what somebody may have meant by a name that does not exist. */
import { printable } from '../../common/printable.ts';

/** How many names are offered. */
const MAX_OFFERED = 3;

/** Edits after which two names no longer look alike: a third of the length, at least 1. */
function tolerance(name: string): number {
  return Math.max(1, Math.floor(name.length / 3));
}

/** Names like `wanted`, nearest first, ties by name. Names are `namespace/name`; the right name elsewhere counts. */
function nearNames(wanted: string, known: Iterable<string>): readonly string[] {
  const wantedName = lastPart(wanted);
  const scored: { name: string; distance: number }[] = [];
  for (const name of known) {
    const distance = lastPart(name) === wantedName ? 0 : editDistance(wanted, name, tolerance(wanted));
    if (distance !== undefined) scored.push({ name, distance });
  }
  scored.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return scored.slice(0, MAX_OFFERED).map((entry) => entry.name);
}

/** The hint for an error message; empty when nothing is near. */
export function didYouMean(wanted: string, known: Iterable<string>): string {
  const names = nearNames(wanted, known);
  return names.length === 0 ? '' : `; did you mean ${names.map(printable).join(' or ')}?`;
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

/** Levenshtein distance, or undefined when it is more than `limit`. */
function editDistance(a: string, b: string, limit: number): number | undefined {
  if (Math.abs(a.length - b.length) > limit) return undefined;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    if (Math.min(...current) > limit) return undefined;
    previous = current;
  }
  const distance = previous[b.length] ?? 0;
  return distance <= limit ? distance : undefined;
}
