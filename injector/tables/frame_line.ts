/** A frame as one line of JSON. What many tables have in common is put into bytes once for all of them. */
import type { InjectorFrame } from '../../policy/index.ts';

/** Texts of immutable objects that are in records of many tables: groups, their changes, identities. */
const texts = new WeakMap<object, string>();

/** Bytes of immutable parts of tables; those who send them share them. */
const bytes = new WeakMap<object, Buffer>();

function textOf(entry: object): string {
  const known = texts.get(entry);
  if (known !== undefined) return known;
  const made = JSON.stringify(entry);
  texts.set(entry, made);
  return made;
}

/** A record whose entries may be in other records too. */
function recordText(record: object): string {
  const entries = Object.entries(record).map(
    ([key, value]) => `${JSON.stringify(key)}:${value === null ? 'null' : textOf(value)}`,
  );
  return `{${entries.join()}}`;
}

/** Parts that tables share, and how each is put into text. */
const SHARED = {
  ingress: JSON.stringify,
  egress: JSON.stringify,
  groups: recordText,
  pods: recordText,
  services: JSON.stringify,
} as const;

type Parts = { readonly [Name in keyof typeof SHARED]?: object };

function bytesOf(part: object, text: (part: object) => string): Buffer {
  const known = bytes.get(part);
  if (known !== undefined) return known;
  const made = Buffer.from(text(part));
  bytes.set(part, made);
  return made;
}

/** The bytes of an object with a table, or what changes in one, as its only or last field. */
function tableBytes(before: string, table: Parts): Buffer[] {
  const { ingress, egress, groups, pods, services, ...own } = table;
  const found: Buffer[] = [Buffer.from(`${before}${JSON.stringify(own).slice(0, -1)}`)];
  for (const [name, part] of Object.entries({ ingress, egress, groups, pods, services })) {
    if (part === undefined) continue;
    found.push(Buffer.from(`,"${name}":`), bytesOf(part, SHARED[name as keyof Parts]));
  }
  return [...found, Buffer.from('}}\n')];
}

/**
 * The line in pieces, newline included; who gets one must not change it. It says what `JSON.stringify` says; the order of
 * keys may be another.
 */
export function frameBytes(frame: InjectorFrame): readonly Buffer[] {
  switch (frame.type) {
    case 'snapshot':
      return tableBytes('{"type":"snapshot","table":', frame.table);
    case 'delta':
      return tableBytes('{"type":"delta","delta":', frame.delta);
    default:
      return [Buffer.from(`${JSON.stringify(frame)}\n`)];
  }
}
