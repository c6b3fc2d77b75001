/** The parts of tables as bytes. What many tables have in common is made once, in steps, and shared by all who are sent it. */
import { digestOf } from '../../../common/digest.ts';
import { pack } from '../../../common/pack.ts';
import { Made, oneStep, type Steps } from '../../../common/steps.ts';
import {
  type AddressGroup,
  groupChange,
  PartDigests,
  type PolicyRules,
  policyJson,
  type ServiceMap,
  type ServiceShard,
  type VirtualPort,
} from '../../../policy/index.ts';

/** Parts from this length on are packed: one record of TLS, and one write. Bytes. */
export const PACKED_BYTES = 16 * 1024;

/** Entries, or backends of Services, of which one text is made at a time: 1 ms. */
const ENTRIES_AT_ONCE = 2_048;

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

/** Keeps the bytes of parts for as long as the parts are in use. */
export class PartBytes {
  readonly #policies = new Made((rules: PolicyRules) => oneStep(() => bytesOf(policyJson(rules))));
  readonly #groups = new Made(function* (group: AddressGroup) {
    return yield* packedOf(yield* groupText(group));
  });
  /** Groups as a change has them that the table lacked. The entry is packed, not the group in it: readers unpack entries only. */
  readonly #newGroups = new Made(function* (group: AddressGroup) {
    return yield* packedOf(`{"group":${yield* groupText(group)}}`);
  });
  readonly #shards = new Made(function* (shard: ServiceShard) {
    return yield* packedOf(yield* recordText(shard, portWeight));
  });
  readonly #groupChanges = new MadeOfTwo(groupChangeBytes);
  readonly #serviceChanges = new MadeOfTwo(serviceChangeBytes);
  /** What an outline has instead of a part. */
  readonly digests = new PartDigests(digestOf);

  policy(rules: PolicyRules): Steps<Buffer> {
    return this.#policies.of(rules);
  }

  group(group: AddressGroup): Steps<Buffer> {
    return this.#groups.of(group);
  }

  shard(shard: ServiceShard): Steps<Buffer> {
    return this.#shards.of(shard);
  }

  /** All shards of a table. */
  *shards(services: ServiceMap): Steps<Buffer[]> {
    const made: Buffer[] = [];
    for (const [, shard] of services.shards()) made.push(yield* this.shard(shard));
    return made;
  }

  /** The entry of a change. @returns `null`: nothing changed */
  groupChange(after: AddressGroup, before: AddressGroup | undefined): Steps<Buffer | null> {
    // Who gets a large group whole gets the same bytes as all others.
    if (before === undefined || before.partial !== after.partial) return this.#newGroups.of(after);
    return this.#groupChanges.of(before, after);
  }

  /** What changed in Services, in parts as shards are. */
  serviceChanges(before: ServiceMap, after: ServiceMap): Steps<Buffer[]> {
    // All that comes to a table without Services is what snapshots have.
    return before.size === 0 ? this.shards(after) : this.#serviceChanges.of(before, after);
  }
}

function* groupChangeBytes(before: AddressGroup, after: AddressGroup): Steps<Buffer | null> {
  yield;
  const change = groupChange(before, after);
  return change === undefined ? null : yield* packedOf(JSON.stringify(change));
}

function* serviceChangeBytes(before: ServiceMap, after: ServiceMap): Steps<Buffer[]> {
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
}

/** Bytes that are kept: on their own, since a slice of Node's pool would keep all 64 kB of it. */
export function keptBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

/** A value as JSON, kept. */
export function bytesOf(value: unknown): Buffer {
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

/** What `JSON.stringify` makes of `groupJson`. */
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
