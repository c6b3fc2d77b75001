/** What leads from one table to another, and tables in outline, as plain data: obvious, and slower than what the injector does. */
import { atOnce } from '../../common/steps.ts';
import {
  groupChange,
  groupJson,
  type PartDigests,
  type PartName,
  policyJson,
  sameData,
  TABLE_SCHEMA,
  type Table,
  type TableChange,
  type TableOutline,
} from '../../policy/index.ts';

/** What leads from one table of a pod to a later one. */
export function changeBetween(before: Table, after: Table): TableChange {
  return {
    schema: TABLE_SCHEMA,
    from: before.revision,
    revision: after.revision,
    ...(sameData(before.subject, after.subject) ? {} : { subject: after.subject }),
    ...part(
      'policies',
      mapDifferences(before.policies, after.policies, (one) => policyJson(one)),
    ),
    ...part(
      'groups',
      mapDifferences(before.groups, after.groups, (one, known) => groupChange(known, one)),
    ),
    ...part(
      'services',
      Object.fromEntries(
        [...after.services.since(before.services)].map(([key, , now]) => [key, now ?? null]),
      ),
    ),
  };
}

function mapDifferences<V, J>(
  before: ReadonlyMap<string, V>,
  after: ReadonlyMap<string, V>,
  json: (now: V, known: V | undefined) => J | undefined,
): Readonly<Record<string, J | null>> {
  if (before === after) return {};
  const changed: [string, J | null][] = [];
  for (const [key, now] of after) {
    const known = before.get(key);
    const one = known === now ? undefined : json(now, known);
    if (one !== undefined) changed.push([key, one]);
  }
  for (const key of before.keys()) if (!after.has(key)) changed.push([key, null]);
  return Object.fromEntries(changed);
}

function part<K extends string, V extends object>(key: K, value: V): { readonly [P in K]?: V } {
  return Object.keys(value).length === 0 ? {} : ({ [key]: value } as { readonly [P in K]?: V });
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
        isWhole({ kind: 'policy', key }) ? policyJson(one) : atOnce(digests.policy(one)),
      ]),
    ),
    groups: Object.fromEntries(
      [...groups].map(([key, one]) => [
        key,
        isWhole({ kind: 'group', key }) ? groupJson(one) : atOnce(digests.group(one)),
      ]),
    ),
    services: [...services.shards()].map(([key, shard]) =>
      isWhole({ kind: 'services', key }) ? Object.fromEntries(shard) : atOnce(digests.shard(shard)),
    ),
  };
}
