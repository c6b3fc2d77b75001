/** Frames as lines of JSON. A part that many tables have in common becomes bytes once, which all connections share. */
import { digestOf } from '../../common/digest.ts';
import { pack } from '../../common/pack.ts';
import {
  type AddressGroup,
  differences,
  groupChange,
  groupJson,
  type InjectorFrame,
  type InjectorFrameV1,
  PartDigests,
  type PartName,
  type PolicyRules,
  policyJson,
  sameData,
  TABLE_SCHEMA,
  type Table,
} from '../../policy/index.ts';

/** A line in pieces, newline included. Who gets one must not change it. */
export type FrameBytes = readonly Buffer[];

/** Any frame but those with tables. */
export type SmallFrame = Exclude<InjectorFrame, { readonly type: 'snapshot' | 'change' | 'outline' }>;

/** How tables and their changes are put into bytes: one for each schema that sidecars speak. */
export interface TableWriter {
  /** A frame with the whole table. */
  snapshot(table: Table): FrameBytes;
  /** A frame with what leads from one table to a later one; undefined: they say the same. */
  change(before: Table, after: Table): FrameBytes | undefined;
  /** A frame with the table in outline, for a sidecar that holds a table. Absent: the schema has none. */
  outline?(table: Table, isWhole?: (name: PartName) => boolean): FrameBytes;
}

/** A frame without a table. */
export function smallFrame(frame: SmallFrame | InjectorFrameV1): FrameBytes {
  return [Buffer.from(`${JSON.stringify(frame)}\n`)];
}

/** What is made of one object once, for as long as it is in use. */
class Made<K extends object, V> {
  readonly #made = new WeakMap<K, V>();
  readonly #make: (from: K) => V;

  constructor(make: (from: K) => V) {
    this.#make = make;
  }

  of(from: K): V {
    const known = this.#made.get(from);
    if (known !== undefined) return known;
    const made = this.#make(from);
    this.#made.set(from, made);
    return made;
  }
}

const policies = new Made((rules: PolicyRules) => bytesOf(policyJson(rules)));
const groups = new Made((group: AddressGroup) => packedOf(groupJson(group)));
/** Groups as a change has them that the table lacked. The entry is packed, not the group in it: readers unpack entries only. */
const newGroups = new Made((group: AddressGroup) => packedOf({ group: groupJson(group) }));
const digests = new PartDigests(digestOf);
const services = new Made((all: Table['services']) => packedOf(Object.fromEntries(all)));

/** What changed in a group, by the group after and then the one before. A change back and forth is worked out for each pair. */
const groupChanges = new Made((_after: AddressGroup) => new WeakMap<AddressGroup, Buffer | null>());
const serviceChanges = new Made((_after: Table['services']) => new WeakMap<Table['services'], Buffer>());

/** The bytes of keys, which are few and come again and again. */
const keys = new Map<string, Buffer>();

/** Beyond this all are forgotten: they are made again when they are asked for. */
const MAX_KEYS = 16_384;

/** Longer keys are not kept, bytes: the text of a selector is as long as its author likes. All that are kept have 8 MiB. */
const MAX_KEPT_KEY_BYTES = 512;

/** Parts from this length on are packed: one record of TLS, and one write. */
const PACKED_BYTES = 16 * 1024;

const COMMA = Buffer.from(',');
const CLOSE = Buffer.from('}');
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
function packedOf(value: unknown): Buffer {
  const bytes = bytesOf(value);
  return bytes.length < PACKED_BYTES ? bytes : bytesOf({ packed: pack(bytes) });
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

function* entriesOf<V extends object>(
  map: ReadonlyMap<string, V>,
  made: Made<V, Buffer>,
): Generator<readonly [string, Buffer]> {
  for (const [key, value] of map) yield [key, made.of(value)];
}

/** Entries that came, went, or are others. */
function* changedEntries<V extends object>(
  before: ReadonlyMap<string, V>,
  after: ReadonlyMap<string, V>,
  made: (now: V, known: V | undefined) => Buffer | null,
): Generator<readonly [string, Buffer]> {
  for (const [key, now] of after) {
    const known = before.get(key);
    const bytes = known === now ? null : made(now, known);
    if (bytes !== null) yield [key, bytes];
  }
  for (const key of before.keys()) if (!after.has(key)) yield [key, NULL];
}

function changeOfGroup(after: AddressGroup, before: AddressGroup | undefined): Buffer | null {
  // Who gets a large group whole gets the same bytes as all others.
  if (before === undefined || before.partial !== after.partial) return newGroups.of(after);
  const known = groupChanges.of(after).get(before);
  if (known !== undefined) return known;
  const change = groupChange(before, after);
  const made = change === undefined ? null : packedOf(change);
  groupChanges.of(after).set(before, made);
  return made;
}

function changeOfServices(all: Table['services'], before: Table['services']): Buffer {
  const known = serviceChanges.of(all).get(before);
  if (known !== undefined) return known;
  const made = packedOf(differences(before, all));
  serviceChanges.of(all).set(before, made);
  return made;
}

/** Of schema 2. */
export const tableWriter: TableWriter = {
  snapshot(table) {
    const { revision, subject } = table;
    const head = JSON.stringify({ schema: TABLE_SCHEMA, revision, subject }).slice(0, -1);
    return [
      Buffer.from(`{"type":"snapshot","table":${head}`),
      ...recordField('policies', entriesOf(table.policies, policies)),
      ...recordField('groups', entriesOf(table.groups, groups)),
      Buffer.from(',"services":'),
      services.of(table.services),
      END,
    ];
  },

  outline(table, isWhole = () => false) {
    const { revision, subject } = table;
    const head = JSON.stringify({ schema: TABLE_SCHEMA, revision, subject }).slice(0, -1);
    const part = (name: PartName, whole: () => Buffer, digest: () => string): readonly [string, Buffer] => [
      name.key,
      isWhole(name) ? whole() : bytesOf(digest()),
    ];
    const ofPolicies = [...table.policies].map(([key, one]) =>
      part(
        { kind: 'policy', key },
        () => policies.of(one),
        () => digests.policy(one),
      ),
    );
    const ofGroups = [...table.groups].map(([key, one]) =>
      part(
        { kind: 'group', key },
        () => groups.of(one),
        () => digests.group(one),
      ),
    );
    const [, ofServices] = part(
      { kind: 'services', key: '' },
      () => services.of(table.services),
      () => digests.services(table.services),
    );
    return [
      Buffer.from(`{"type":"outline","outline":${head}`),
      ...recordField('policies', ofPolicies),
      ...recordField('groups', ofGroups),
      Buffer.from(',"services":'),
      ofServices,
      END,
    ];
  },

  change(before, after) {
    const isSubjectSame = before.subject === after.subject || sameData(before.subject, after.subject);
    const changedPolicies =
      before.policies === after.policies
        ? []
        : [...changedEntries(before.policies, after.policies, (now) => policies.of(now))];
    const changedGroups =
      before.groups === after.groups ? [] : [...changedEntries(before.groups, after.groups, changeOfGroup)];
    const hasSameServices = before.services === after.services;
    if (isSubjectSame && hasSameServices && changedPolicies.length + changedGroups.length === 0)
      return undefined;
    const head = {
      schema: TABLE_SCHEMA,
      from: before.revision,
      revision: after.revision,
      ...(isSubjectSame ? {} : { subject: after.subject }),
    };
    return [
      Buffer.from(`{"type":"change","change":${JSON.stringify(head).slice(0, -1)}`),
      ...(changedPolicies.length === 0 ? [] : recordField('policies', changedPolicies)),
      ...(changedGroups.length === 0 ? [] : recordField('groups', changedGroups)),
      ...(hasSameServices
        ? []
        : [Buffer.from(',"services":'), changeOfServices(after.services, before.services)]),
      END,
    ];
  },
};
