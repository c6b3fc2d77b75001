/** Frames as lines of JSON. A part that many tables have in common becomes bytes once, which all connections share. */
import { digestOf } from '../../common/digest.ts';
import { pack } from '../../common/pack.ts';
import { Made, oneStep, type Steps } from '../../common/steps.ts';
import {
  type AddressGroup,
  groupChange,
  type InjectorFrame,
  type InjectorFrameV1,
  PartDigests,
  type PartName,
  type PolicyRules,
  policyJson,
  type ServiceMap,
  type ServiceShard,
  sameData,
  TABLE_SCHEMA,
  type Table,
  type VirtualPort,
} from '../../policy/index.ts';

/** A line in pieces, newline included. Who gets one must not change it. */
export type FrameBytes = readonly Buffer[];

/** Any frame but those with tables. */
export type SmallFrame = Exclude<InjectorFrame, { readonly type: 'snapshot' | 'change' | 'outline' }>;

/**
 * How tables and their changes are put into bytes: one for each schema that sidecars speak. A frame is made in steps. What it shares
 * with others is kept, so that frames that are given up halfway, or made at the same time, cost no part twice.
 */
export interface TableWriter {
  /** A frame with the whole table. */
  snapshot(table: Table): Steps<FrameBytes>;
  /** A frame with what leads from one table to a later one; undefined: they say the same. */
  change(before: Table, after: Table): Steps<FrameBytes | undefined>;
  /** A frame with the table in outline, for a sidecar that holds a table. Absent: the schema has none. */
  outline?(table: Table, isWhole?: (name: PartName) => boolean): Steps<FrameBytes>;
}

/** A frame without a table. */
export function smallFrame(frame: SmallFrame | InjectorFrameV1): FrameBytes {
  return [Buffer.from(`${JSON.stringify(frame)}\n`)];
}

/** Heartbeats. Sessions whose tables have the same revision, as most have, are sent the same bytes one after the other. */
export class Heartbeats {
  #revision: number | undefined;
  #bytes: FrameBytes = [];

  of(revision: number): FrameBytes {
    if (this.#revision !== revision) {
      this.#bytes = smallFrame({ type: 'heartbeat', revision });
      this.#revision = revision;
    }
    return this.#bytes;
  }
}

/** Of two objects, one before the other: a change back and forth is worked out for each pair. */
class MadeOfTwo<K extends object, V> {
  readonly #made = new WeakMap<K, Made<K, V>>();
  readonly #make: (before: K, after: K) => Steps<V>;

  constructor(make: (before: K, after: K) => Steps<V>) {
    this.#make = make;
  }

  of(before: K, after: K): Steps<V> {
    const made = this.#made.get(after) ?? new Made((earlier: K) => this.#make(earlier, after));
    this.#made.set(after, made);
    return made.of(before);
  }
}

const policies = new Made((rules: PolicyRules) => oneStep(() => bytesOf(policyJson(rules))));
const groups = new Made(function* (group: AddressGroup) {
  return yield* packedOf(yield* groupText(group));
});
/** Groups as a change has them that the table lacked. The entry is packed, not the group in it: readers unpack entries only. */
const newGroups = new Made(function* (group: AddressGroup) {
  return yield* packedOf(`{"group":${yield* groupText(group)}}`);
});
const shards = new Made(function* (shard: ServiceShard) {
  return yield* packedOf(yield* recordText(shard, portWeight));
});
const digests = new PartDigests(digestOf);

/** What changed in a group; `null`: nothing. */
const groupChanges = new MadeOfTwo(function* (before: AddressGroup, after: AddressGroup) {
  yield;
  const change = groupChange(before, after);
  return change === undefined ? null : yield* packedOf(JSON.stringify(change));
});
/** What changed in Services, in parts as shards are. */
const serviceChanges = new MadeOfTwo(function* (before: ServiceMap, after: ServiceMap) {
  const parts: Buffer[] = [];
  let part: [string, VirtualPort | null][] = [];
  let entries = 0;
  for (const [key, , now] of after.since(before)) {
    part.push([key, now ?? null]);
    entries += now === undefined ? 1 : portWeight(now);
    if (entries < ENTRIES_AT_ONCE) continue;
    parts.push(yield* packedOf(yield* recordText(part)));
    [part, entries] = [[], 0];
  }
  if (part.length > 0) parts.push(yield* packedOf(yield* recordText(part)));
  return parts;
});

/** The bytes of keys, which are few and come again and again. */
const keys = new Map<string, Buffer>();

/** Beyond this all are forgotten: they are made again when they are asked for. */
const MAX_KEYS = 16_384;

/** Longer keys are not kept, bytes: the text of a selector is as long as its author likes. All that are kept have 8 MiB. */
const MAX_KEPT_KEY_BYTES = 512;

/** Parts from this length on are packed: one record of TLS, and one write. */
const PACKED_BYTES = 16 * 1024;

/** Entries, or backends of Services, of which one text is made at a time: 1 ms. */
const ENTRIES_AT_ONCE = 2_048;

const COMMA = Buffer.from(',');
const CLOSE = Buffer.from('}');
const CLOSE_LIST = Buffer.from(']');
const END = Buffer.from('}}\n');
const NULL = Buffer.from('null');

/** Bytes that are kept: on their own, since a slice of Node's pool would keep all 64 kB of it. */
function keptBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

function bytesOf(value: unknown): Buffer {
  return keptBytes(JSON.stringify(value));
}

/** The bytes of a part that may be packed: it is where that pays, for sending it once already. */
function* packedOf(json: string): Steps<Buffer> {
  yield;
  const bytes = keptBytes(json);
  if (bytes.length < PACKED_BYTES) return bytes;
  yield;
  return keptBytes(`{"packed":"${pack(bytes)}"}`);
}

/** What \`JSON.stringify\` makes of \`groupJson\`. */
function* groupText({ members, ports, ...test }: AddressGroup): Steps<string> {
  const fields = [`"members":${yield* recordText(members)}`];
  if (ports !== undefined) fields.push(`"ports":${yield* recordText(ports)}`);
  const own = JSON.stringify(test).slice(1, -1);
  return `{${[...(own === '' ? [] : [own]), ...fields].join()}}`;
}

const portWeight = ({ backends }: VirtualPort): number => 1 + backends.length;

/** @param weightOf how much text an entry is, in entries of some 40 bytes */
function* recordText<T>(
  entries: Iterable<readonly [string, T]>,
  weightOf: (value: T) => number = () => 1,
): Steps<string> {
  const texts: string[] = [];
  let some: (readonly [string, T])[] = [];
  let weight = 0;
  const put = (): void => {
    if (some.length > 0) texts.push(JSON.stringify(Object.fromEntries(some)).slice(1, -1));
    [some, weight] = [[], 0];
  };
  for (const entry of entries) {
    some.push(entry);
    weight += weightOf(entry[1]);
    if (weight < ENTRIES_AT_ONCE) continue;
    put();
    yield;
  }
  put();
  return `{${texts.join()}}`;
}

function keyBytes(key: string): Buffer {
  const known = keys.get(key);
  if (known !== undefined) return known;
  const made = keptBytes(`${JSON.stringify(key)}:`);
  if (made.length > MAX_KEPT_KEY_BYTES) return made;
  if (keys.size >= MAX_KEYS) keys.clear();
  keys.set(key, made);
  return made;
}

/** The field of an object, with a record of entries. */
function recordField(name: string, entries: Iterable<readonly [string, Buffer]>): Buffer[] {
  const pieces: Buffer[] = [Buffer.from(`,"${name}":{`)];
  for (const [key, value] of entries) {
    if (pieces.length > 1) pieces.push(COMMA);
    pieces.push(keyBytes(key), value);
  }
  pieces.push(CLOSE);
  return pieces;
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
): Steps<(readonly [string, Buffer])[]> {
  const entries: (readonly [string, Buffer])[] = [];
  for (const [key, value] of map) entries.push([key, yield* made(value, key)]);
  return entries;
}

/** Entries that came, went, or are others. */
function* changedEntries<V extends object>(
  before: ReadonlyMap<string, V>,
  after: ReadonlyMap<string, V>,
  made: (now: V, known: V | undefined) => Steps<Buffer | null>,
): Steps<(readonly [string, Buffer])[]> {
  const entries: (readonly [string, Buffer])[] = [];
  if (before === after) return entries;
  for (const [key, now] of after) {
    const known = before.get(key);
    const bytes = known === now ? null : yield* made(now, known);
    if (bytes !== null) entries.push([key, bytes]);
  }
  for (const key of before.keys()) if (!after.has(key)) entries.push([key, NULL]);
  return entries;
}

function changeOfGroup(after: AddressGroup, before: AddressGroup | undefined): Steps<Buffer | null> {
  // Who gets a large group whole gets the same bytes as all others.
  if (before === undefined || before.partial !== after.partial) return newGroups.of(after);
  return groupChanges.of(before, after);
}

function* shardsOf(services: ServiceMap): Steps<Buffer[]> {
  const made: Buffer[] = [];
  for (const [, shard] of services.shards()) made.push(yield* shards.of(shard));
  return made;
}

/** Of schema 2. */
export const tableWriter: TableWriter = {
  *snapshot(table) {
    const { revision, subject } = table;
    const head = JSON.stringify({ schema: TABLE_SCHEMA, revision, subject }).slice(0, -1);
    return [
      Buffer.from(`{"type":"snapshot","table":${head}`),
      ...recordField('policies', yield* entriesOf(table.policies, (one) => policies.of(one))),
      ...recordField('groups', yield* entriesOf(table.groups, (one) => groups.of(one))),
      ...listField('services', yield* shardsOf(table.services)),
      END,
    ];
  },

  *outline(table, isWhole = () => false) {
    const { revision, subject } = table;
    const head = JSON.stringify({ schema: TABLE_SCHEMA, revision, subject }).slice(0, -1);
    const part = function* (
      name: PartName,
      whole: () => Steps<Buffer>,
      digest: () => Steps<string>,
    ): Steps<Buffer> {
      return isWhole(name) ? yield* whole() : bytesOf(yield* digest());
    };
    const ofPolicies = yield* entriesOf(table.policies, (one, key) =>
      part(
        { kind: 'policy', key },
        () => policies.of(one),
        () => digests.policy(one),
      ),
    );
    const ofGroups = yield* entriesOf(table.groups, (one, key) =>
      part(
        { kind: 'group', key },
        () => groups.of(one),
        () => digests.group(one),
      ),
    );
    const ofShards = yield* entriesOf(new Map(table.services.shards()), (one, key) =>
      part(
        { kind: 'services', key },
        () => shards.of(one),
        () => digests.shard(one),
      ),
    );
    return [
      Buffer.from(`{"type":"outline","outline":${head}`),
      ...recordField('policies', ofPolicies),
      ...recordField('groups', ofGroups),
      ...listField(
        'services',
        ofShards.map(([, bytes]) => bytes),
      ),
      END,
    ];
  },

  *change(before, after) {
    const isSubjectSame = before.subject === after.subject || sameData(before.subject, after.subject);
    return yield* isSubjectSame ? latestChange.of(before, after) : changeBytes(before, after, after.subject);
  },
};

/** @param subject of the table after; absent: it is as before */
function* changeBytes(
  before: Table,
  after: Table,
  subject?: Table['subject'],
): Steps<FrameBytes | undefined> {
  const changedPolicies = yield* changedEntries(before.policies, after.policies, (now) => policies.of(now));
  const changedGroups = yield* changedEntries(before.groups, after.groups, changeOfGroup);
  const changedServices =
    before.services === after.services
      ? []
      : // All that comes to a table without Services is what snapshots have.
        before.services.size === 0
        ? yield* shardsOf(after.services)
        : yield* serviceChanges.of(before.services, after.services);
  if (subject === undefined && changedPolicies.length + changedGroups.length + changedServices.length === 0)
    return undefined;
  const head = {
    schema: TABLE_SCHEMA,
    from: before.revision,
    revision: after.revision,
    ...(subject === undefined ? {} : { subject }),
  };
  return joined([
    Buffer.from(`{"type":"change","change":${JSON.stringify(head).slice(0, -1)}`),
    ...(changedPolicies.length === 0 ? [] : recordField('policies', changedPolicies)),
    ...(changedGroups.length === 0 ? [] : recordField('groups', changedGroups)),
    ...(changedServices.length === 0 ? [] : listField('services', changedServices)),
    END,
  ]);
}

/** A short frame in one piece, which is written as it is. */
function joined(pieces: FrameBytes): FrameBytes {
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  return bytes > PACKED_BYTES ? pieces : [Buffer.concat(pieces, bytes)];
}

/**
 * The change that was made last, of tables whose subject is as before. The sidecars of a namespace are sent theirs one after the
 * other, and where they have the same policies and are at the same revision, all are the same bytes.
 */
class LatestChange {
  #before: Table | undefined;
  #after: Table | undefined;
  #bytes: FrameBytes | undefined;

  *of(before: Table, after: Table): Steps<FrameBytes | undefined> {
    if (hasSameParts(this.#before, before) && hasSameParts(this.#after, after)) return this.#bytes;
    const bytes = yield* changeBytes(before, after);
    this.#before = before;
    this.#after = after;
    this.#bytes = bytes;
    return bytes;
  }
}

const latestChange = new LatestChange();

function hasSameParts(a: Table | undefined, b: Table): boolean {
  return (
    a?.revision === b.revision &&
    a.groups === b.groups &&
    a.policies === b.policies &&
    a.services === b.services
  );
}
