/**
 * A table with digests in place of its parts: a sidecar that comes back has most of them on disk, and asks for the others only. A
 * digest says what is in a part, and nothing of when or where it was made: it outlives a restart of the injector.
 */

import { PersistentMap } from '../../common/persistent_map.ts';
import { object, record, Shape, type TypeOf } from '../../common/shape.ts';
import {
  groupForm,
  groupJson,
  groupOf,
  inOrder,
  malformed,
  policyForm,
  policyJson,
  policyOf,
  schemaForm,
  servicesForm,
  TABLE_SCHEMA,
  tableProblem,
  tableWith,
} from './form.ts';
import { whole } from './parts.ts';
import { type AddressGroup, type PolicyRules, subject, type Table, type VirtualPort } from './table.ts';

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
  services: digestOr(servicesForm),
});

/** A table of which any part may be only its digest. */
export type TableOutline = TypeOf<typeof outlineForm>;

/** Makes a digest of a text: as good as the text, also where a tenant chose it. */
export type Digest = (text: string) => string;

/**
 * The parts of an outline, in order: its policies, its groups, its Services. The place of a part in this list is its number, by
 * which it is asked for.
 */
export function partNames({ policies, groups }: Pick<Table, 'policies' | 'groups'>): PartName[] {
  return [
    ...[...policies.keys()].map((key): PartName => ({ kind: 'policy', key })),
    ...[...groups.keys()].map((key): PartName => ({ kind: 'group', key })),
    { kind: 'services', key: '' },
  ];
}

/** Which part of a table. */
export interface PartName {
  readonly kind: 'policy' | 'group' | 'services';
  readonly key: string;
}

/** Digests of parts, each worked out once. */
export class PartDigests {
  readonly #digest: Digest;
  readonly #known = new WeakMap<object, string>();

  constructor(digest: Digest) {
    this.#digest = digest;
  }

  policy(rules: PolicyRules): string {
    return this.#of(rules, () => JSON.stringify(policyJson(rules)));
  }

  group(group: AddressGroup): string {
    return this.#of(group, () => {
      const { members, ports, ...test } = group;
      return JSON.stringify([test, sorted(members), ports === undefined ? null : sorted(ports)]);
    });
  }

  services(services: PersistentMap<VirtualPort>): string {
    return this.#of(services, () => JSON.stringify(sorted(services)));
  }

  #of(part: object, text: () => string): string {
    const known = this.#known.get(part);
    if (known !== undefined) return known;
    const made = this.#digest(text());
    this.#known.set(part, made);
    return made;
  }
}

/** Entries in the order of their keys: how a map came to be does not matter. */
function sorted<T>(entries: Iterable<readonly [string, T]>): (readonly [string, T])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * A table in outline.
 * @param isWhole which parts stand there whole; all others are digests
 */
export function outlineOf(
  table: Table,
  digests: PartDigests,
  isWhole: (name: PartName) => boolean = () => false,
): TableOutline {
  const { revision, subject, policies, groups, services } = table;
  return {
    schema: TABLE_SCHEMA,
    revision,
    subject,
    policies: Object.fromEntries(
      [...policies].map(([key, one]) => [
        key,
        isWhole({ kind: 'policy', key }) ? policyJson(one) : digests.policy(one),
      ]),
    ),
    groups: Object.fromEntries(
      [...groups].map(([key, one]) => [
        key,
        isWhole({ kind: 'group', key }) ? groupJson(one) : digests.group(one),
      ]),
    ),
    services: isWhole({ kind: 'services', key: '' })
      ? Object.fromEntries(services)
      : digests.services(services),
  };
}

/** The table that an outline stands for, or the numbers of the parts that have to be asked for. */
export type Resolved =
  | { readonly kind: 'table'; readonly table: Table }
  | { readonly kind: 'missing'; readonly parts: readonly number[] };

/**
 * Fills an outline in with the parts of a table.
 * @param held what there is; parts with the right digest are taken from it, also where they have another name there
 */
export function resolveOutline(
  outline: TableOutline,
  held: Table | undefined,
  digests: PartDigests,
): Resolved {
  const heldPolicies = new Map([...(held?.policies.values() ?? [])].map((one) => [digests.policy(one), one]));
  const heldGroups = new Map([...(held?.groups.values() ?? [])].map((one) => [digests.group(one), one]));
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
  const { services: part } = outline;
  const known =
    held !== undefined && typeof part === 'string' && digests.services(held.services) === part
      ? held.services
      : undefined;
  const services = find(typeof part === 'string' ? known : PersistentMap.from(Object.entries(part)));
  if (missing.length > 0 || services === undefined) return { kind: 'missing', parts: missing };
  const { revision, subject } = outline;
  const parts = { revision, subject, policies: inOrder(policies), groups: new Map(groups), services };
  const table = tableWith(parts, held);
  const wrong = tableProblem(table);
  if (wrong !== undefined) throw malformed(`frame.outline${wrong.path} ${wrong.text}`);
  return { kind: 'table', table };
}
