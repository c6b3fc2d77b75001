/** Tables of schema 2 as lines of JSON, put together of bytes that all connections share. */
import type { Steps } from '../../../common/steps.ts';
import { type PartName, sameData, TABLE_SCHEMA, type Table } from '../../../policy/index.ts';
import { type FrameBytes, lengthOf } from './frame_bytes.ts';
import { bytesOf, keptBytes, PACKED_BYTES, PartBytes } from './part_bytes.ts';
import type { TableWriter } from './table_writer.ts';

/** Changes that many sidecars may be sent are put into one piece up to this length, bytes: a copy of 100 us, and no copy for each sidecar. */
const SHARED_BYTES = 1024 * 1024;

/** Keys that are kept; beyond it all are forgotten: they are made again when they are asked for. */
const MAX_KEYS = 16_384;

/** Longer keys are not kept, bytes: the text of a selector is as long as its author likes. All that are kept have 8 MiB. */
const MAX_KEPT_KEY_BYTES = 512;

const COMMA = Buffer.from(',');
const CLOSE = Buffer.from('}');
const CLOSE_LIST = Buffer.from(']');
const END = Buffer.from('}}\n');
const NULL = Buffer.from('null');

/** A key of a record, and the bytes of its value. */
type Entry = readonly [key: string, value: Buffer];

/** The writer of one server. */
export class TableWriterV2 implements TableWriter {
  readonly #parts = new PartBytes();
  readonly #keys = new KeyBytes();
  readonly #latest = new LatestChange((before, after) => this.#change(before, after));

  *snapshot(table: Table): Steps<FrameBytes> {
    const { revision, subject } = table;
    const parts = this.#parts;
    const head = JSON.stringify({ schema: TABLE_SCHEMA, revision, subject }).slice(0, -1);
    return [
      Buffer.from(`{"type":"snapshot","table":${head}`),
      ...this.#recordField('policies', yield* entriesOf(table.policies, (one) => parts.policy(one))),
      ...this.#recordField('groups', yield* entriesOf(table.groups, (one) => parts.group(one))),
      ...listField('services', yield* parts.shards(table.services)),
      END,
    ];
  }

  *outline(table: Table, isWhole: (name: PartName) => boolean = () => false): Steps<FrameBytes> {
    const { revision, subject } = table;
    const parts = this.#parts;
    const { digests } = parts;
    const head = JSON.stringify({ schema: TABLE_SCHEMA, revision, subject }).slice(0, -1);
    const part = function* (
      name: PartName,
      whole: () => Steps<Buffer>,
      digest: () => Steps<string>,
    ): Steps<Buffer> {
      return isWhole(name) ? yield* whole() : bytesOf(yield* digest());
    };
    const policies = yield* entriesOf(table.policies, (one, key) =>
      part(
        { kind: 'policy', key },
        () => parts.policy(one),
        () => digests.policy(one),
      ),
    );
    const groups = yield* entriesOf(table.groups, (one, key) =>
      part(
        { kind: 'group', key },
        () => parts.group(one),
        () => digests.group(one),
      ),
    );
    const shards = yield* entriesOf(new Map(table.services.shards()), (one, key) =>
      part(
        { kind: 'services', key },
        () => parts.shard(one),
        () => digests.shard(one),
      ),
    );
    return [
      Buffer.from(`{"type":"outline","outline":${head}`),
      ...this.#recordField('policies', policies),
      ...this.#recordField('groups', groups),
      ...listField(
        'services',
        shards.map(([, bytes]) => bytes),
      ),
      END,
    ];
  }

  *change(before: Table, after: Table): Steps<FrameBytes | undefined> {
    const isSubjectSame = before.subject === after.subject || sameData(before.subject, after.subject);
    return yield* isSubjectSame ? this.#latest.of(before, after) : this.#change(before, after, after.subject);
  }

  /** @param subject of the table after; absent: it is as before */
  *#change(before: Table, after: Table, subject?: Table['subject']): Steps<FrameBytes | undefined> {
    const parts = this.#parts;
    const policies = yield* changedEntries(before.policies, after.policies, (now) => parts.policy(now));
    const groups = yield* changedEntries(before.groups, after.groups, (now, known) =>
      parts.groupChange(now, known),
    );
    const services =
      before.services === after.services ? [] : yield* parts.serviceChanges(before.services, after.services);
    if (subject === undefined && policies.length + groups.length + services.length === 0) return undefined;
    const head = {
      schema: TABLE_SCHEMA,
      from: before.revision,
      revision: after.revision,
      ...(subject === undefined ? {} : { subject }),
    };
    const pieces = [
      Buffer.from(`{"type":"change","change":${JSON.stringify(head).slice(0, -1)}`),
      ...(policies.length === 0 ? [] : this.#recordField('policies', policies)),
      ...(groups.length === 0 ? [] : this.#recordField('groups', groups)),
      ...(services.length === 0 ? [] : listField('services', services)),
      END,
    ];
    return joined(pieces, subject === undefined ? SHARED_BYTES : PACKED_BYTES);
  }

  /** The field of an object, with a record of entries. */
  #recordField(name: string, entries: Iterable<Entry>): Buffer[] {
    const pieces: Buffer[] = [Buffer.from(`,"${name}":{`)];
    for (const [key, value] of entries) {
      if (pieces.length > 1) pieces.push(COMMA);
      pieces.push(this.#keys.of(key), value);
    }
    pieces.push(CLOSE);
    return pieces;
  }
}

/** The bytes of keys, which are few and come again and again. */
class KeyBytes {
  readonly #kept = new Map<string, Buffer>();

  /** The key with its colon. */
  of(key: string): Buffer {
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const made = keptBytes(`${JSON.stringify(key)}:`);
    if (made.length > MAX_KEPT_KEY_BYTES) return made;
    if (this.#kept.size >= MAX_KEYS) this.#kept.clear();
    this.#kept.set(key, made);
    return made;
  }
}

/**
 * The change that was made last, of tables whose subject is as before. The sidecars of a namespace are sent theirs one after the
 * other, and where they have the same policies and are at the same revision, all are the same bytes.
 */
class LatestChange {
  readonly #make: (before: Table, after: Table) => Steps<FrameBytes | undefined>;
  #before: Table | undefined;
  #after: Table | undefined;
  #bytes: FrameBytes | undefined;

  constructor(make: (before: Table, after: Table) => Steps<FrameBytes | undefined>) {
    this.#make = make;
  }

  *of(before: Table, after: Table): Steps<FrameBytes | undefined> {
    if (hasSameParts(this.#before, before) && hasSameParts(this.#after, after)) return this.#bytes;
    const bytes = yield* this.#make(before, after);
    this.#before = before;
    this.#after = after;
    this.#bytes = bytes;
    return bytes;
  }
}

function hasSameParts(a: Table | undefined, b: Table): boolean {
  return (
    a?.revision === b.revision &&
    a.groups === b.groups &&
    a.policies === b.policies &&
    a.services === b.services
  );
}

/** The field of an object, with a list. */
function listField(name: string, values: readonly Buffer[]): Buffer[] {
  const pieces: Buffer[] = [Buffer.from(`,"${name}":[`)];
  for (const value of values) {
    if (pieces.length > 1) pieces.push(COMMA);
    pieces.push(value);
  }
  pieces.push(CLOSE_LIST);
  return pieces;
}

function* entriesOf<V>(
  map: ReadonlyMap<string, V>,
  made: (value: V, key: string) => Steps<Buffer>,
): Steps<Entry[]> {
  const entries: Entry[] = [];
  for (const [key, value] of map) entries.push([key, yield* made(value, key)]);
  return entries;
}

/** Entries that came, went, or are others. */
function* changedEntries<V extends object>(
  before: ReadonlyMap<string, V>,
  after: ReadonlyMap<string, V>,
  made: (now: V, known: V | undefined) => Steps<Buffer | null>,
): Steps<Entry[]> {
  const entries: Entry[] = [];
  if (before === after) return entries;
  for (const [key, now] of after) {
    const known = before.get(key);
    const bytes = known === now ? null : yield* made(now, known);
    if (bytes !== null) entries.push([key, bytes]);
  }
  for (const key of before.keys()) if (!after.has(key)) entries.push([key, NULL]);
  return entries;
}

/** A frame up to a length in one piece: what is written of it at a time is a part of it, and no copy. */
function joined(pieces: FrameBytes, mostBytes: number): FrameBytes {
  const bytes = lengthOf(pieces);
  return bytes > mostBytes ? pieces : [Buffer.concat(pieces, bytes)];
}
