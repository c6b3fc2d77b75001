/**
 * A table with digests in place of its parts: a sidecar that comes back has most of them on disk, and asks for the others only. A
 * digest says what is in a part, and nothing of when or where it was made: it outlives a restart of the injector.
 */

import { PersistentMap } from '../../common/persistent_map.ts';
import { list, object, record, Shape, type TypeOf } from '../../common/shape.ts';
import { atOnce, Made, type Steps } from '../../common/steps.ts';
import {
  groupForm,
  groupOf,
  inOrder,
  malformed,
  policyForm,
  policyJson,
  policyOf,
  schemaForm,
  servicesForm,
  tableProblem,
  tableWith,
} from './form.ts';
import { whole } from './parts.ts';
import { hashOf, ServiceMap, type ServiceShard } from './service_map.ts';
import { type AddressGroup, type PolicyRules, subject, type Table } from './table.ts';
import type { VirtualPort } from './virtual_port.ts';

/** A part, or its digest. */
function digestOr<T>({ check }: Shape<T>): Shape<T | string> {
  return new Shape((value) => (typeof value === 'string' ? undefined : check(value)));
}

/** The form of `TableOutline`. */
export const outlineForm = object({
  schema: schemaForm,
  revision: whole,
  subject,
  policies: record(digestOr(policyForm)),
  groups: record(digestOr(groupForm)),
  /** By shard. */
  services: list(digestOr(servicesForm)),
});

/** A table of which any part may be only its digest. */
export type TableOutline = TypeOf<typeof outlineForm>;

/** Makes a digest of a text: as good as the text, also where a tenant chose it. */
export type Digest = (text: string) => string;

/**
 * The parts of an outline, in order: its policies, its groups, the shards of its Services. The place of a part in this list is its
 * number, by which it is asked for.
 */
export function partNames({ policies, groups, services }: Table): PartName[] {
  return [
    ...[...policies.keys()].map((key): PartName => ({ kind: 'policy', key })),
    ...[...groups.keys()].map((key): PartName => ({ kind: 'group', key })),
    ...[...services.shards()].map(([key]): PartName => ({ kind: 'services', key })),
  ];
}

/** Which part of a table. */
export interface PartName {
  readonly kind: 'policy' | 'group' | 'services';
  readonly key: string;
}

/** Entries of one lot, whose digest takes 1 ms. Part of the digest: two versions with other values send each other everything once. */
const DIGEST_LOT_ENTRIES = 2_048;

/** Digests of parts, each worked out once. */
export class PartDigests {
  readonly #digest: Digest;
  readonly #policies = new Made((rules: PolicyRules) => this.#ofPolicy(rules));
  readonly #groups = new Made((group: AddressGroup) => this.#ofGroup(group));
  readonly #shards = new Made((shard: ServiceShard) => this.#ofShard(shard));

  constructor(digest: Digest) {
    this.#digest = digest;
  }

  policy(rules: PolicyRules): Steps<string> {
    return this.#policies.of(rules);
  }

  group(group: AddressGroup): Steps<string> {
    return this.#groups.of(group);
  }

  shard(shard: ServiceShard): Steps<string> {
    return this.#shards.of(shard);
  }

  /** Works out those of all parts of a table, ahead of who asks. */
  *prepare({ policies, groups, services }: Table): Steps<void> {
    for (const one of policies.values()) yield* this.policy(one);
    for (const one of groups.values()) yield* this.group(one);
    for (const [, shard] of services.shards()) yield* this.shard(shard);
  }

  *#ofPolicy(rules: PolicyRules): Steps<string> {
    yield;
    return this.#digest(JSON.stringify(policyJson(rules)));
  }

  *#ofGroup({ members, ports, ...test }: AddressGroup): Steps<string> {
    const own = [
      test,
      yield* this.#ofEntries(members),
      ports === undefined ? null : yield* this.#ofEntries(ports),
    ];
    return this.#digest(JSON.stringify(own));
  }

  *#ofShard(shard: ServiceShard): Steps<string> {
    let weight = 0;
    for (const { backends } of shard.values()) weight += 1 + backends.length;
    return this.#digest(JSON.stringify(yield* this.#ofEntries(shard, weight)));
  }

  /**
   * Of some entries at a time, in the order of their keys: how a map came to be does not matter. Which go together follows from their
   * keys, so that no more are sorted at once.
   * @param weight of all, in entries of some 40 bytes
   */
  *#ofEntries<T>(
    map: { readonly size: number; keys(): Iterable<string>; get(key: string): T },
    weight: number = map.size,
  ): Steps<readonly string[]> {
    const lots = Array.from({ length: Math.ceil(weight / DIGEST_LOT_ENTRIES) }, (): string[] => []);
    for (const key of map.keys()) lots[lots.length === 1 ? 0 : hashOf(key) % lots.length]?.push(key);
    const made: string[] = [];
    for (const keys of lots) {
      yield;
      made.push(this.#digest(JSON.stringify(keys.sort().map((key) => [key, map.get(key)]))));
    }
    return made;
  }
}

/** The table that an outline stands for, or the numbers of the parts that have to be asked for. */
export type Resolved =
  | { readonly kind: 'table'; readonly table: Table }
  | { readonly kind: 'missing'; readonly parts: readonly number[] };

/**
 * Fills an outline in with the parts of a table.
 * @param held what there is; parts with the right digest are taken from it, also where they have another name there
 * @param digests of the parts held: those that were not prepared are worked out
 */
export function resolveOutline(
  outline: TableOutline,
  held: Table | undefined,
  digests: PartDigests,
): Resolved {
  const heldPolicies = byDigest(held?.policies.values(), (one) => digests.policy(one));
  const heldGroups = byDigest(held?.groups.values(), (one) => digests.group(one));
  const heldShards = byDigest(shardsOf(held), (one) => digests.shard(one));
  const missing: number[] = [];
  let number = 0;
  const find = <T>(part: T | undefined): T | undefined => {
    if (part === undefined) missing.push(number);
    number += 1;
    return part;
  };
  const policies = Object.entries(outline.policies).flatMap(([key, part]): [string, PolicyRules][] => {
    const found = find(typeof part === 'string' ? heldPolicies.get(part) : policyOf(part));
    return found === undefined ? [] : [[key, found]];
  });
  const groups = Object.entries(outline.groups).flatMap(([id, part]): [string, AddressGroup][] => {
    const found = find(typeof part === 'string' ? heldGroups.get(part) : groupOf(part));
    return found === undefined ? [] : [[id, found]];
  });
  const [kept, come]: [Set<ServiceShard>, [string, VirtualPort][]] = [new Set(), []];
  for (const part of outline.services) {
    const found = find(typeof part === 'string' ? heldShards.get(part) : part);
    if (found instanceof PersistentMap) kept.add(found);
    else for (const entry of Object.entries(found ?? {})) come.push(entry);
  }
  if (missing.length > 0) return { kind: 'missing', parts: missing };
  const { revision, subject } = outline;
  const services = servicesOf(held, kept, come);
  const parts = { revision, subject, policies: inOrder(policies), groups: new Map(groups), services };
  const table = tableWith(parts, held);
  const wrong = tableProblem(table);
  if (wrong !== undefined) throw malformed(`frame.outline${wrong.path} ${wrong.text}`);
  return { kind: 'table', table };
}

function byDigest<T>(parts: Iterable<T> = [], digest: (part: T) => Steps<string>): ReadonlyMap<string, T> {
  return new Map([...parts].map((one) => [atOnce(digest(one)), one]));
}

function shardsOf(table: Table | undefined): ServiceShard[] {
  return table === undefined ? [] : [...table.services.shards()].map(([, shard]) => shard);
}

/** The Services of some shards that are held, and of others that have come. Those that are held stay the same objects. */
function servicesOf(
  held: Table | undefined,
  kept: ReadonlySet<ServiceShard>,
  come: readonly (readonly [string, VirtualPort])[],
): ServiceMap {
  if (held === undefined) return ServiceMap.from(come);
  const gone = shardsOf(held).flatMap((shard) => (kept.has(shard) ? [] : [...shard.keys()]));
  return held.services.with([...gone.map((key) => [key, undefined] as const), ...come]);
}
