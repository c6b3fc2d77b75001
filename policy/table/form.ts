/**
 * The form of tables and of their changes on the wire and on disk, schema 2. Each is declared once, as a shape: the check of
 * what comes from outside is made of it. What JSON says becomes a `Table` here, and a `Table` becomes what JSON says.
 */

import { SluiceError } from '../../common/errors.ts';
import { PersistentMap } from '../../common/persistent_map.ts';
import {
  type AnyShape,
  isRecord,
  list,
  nullable,
  object,
  oneOf,
  type Problem,
  problem,
  record,
  refined,
  Shape,
  type TypeOf,
} from '../../common/shape.ts';
import type { Direction } from '../model.ts';
import { addressProblem, anyText, containerPort, policyRef, selector, whole } from './parts.ts';
import { sameData } from './same_data.ts';
import { ServiceMap } from './service_map.ts';
import {
  type AddressGroup,
  type DirectionTable,
  directionOf,
  type PolicyRules,
  policyKey,
  ruleFields,
  subject,
  type Table,
  type TableRule,
} from './table.ts';
import { virtualKeyProblem } from './virtual_key.ts';
import { virtualPort } from './virtual_port.ts';

/** Version of the table's form. A reader refuses a form it does not know. */
export const TABLE_SCHEMA = 2;

/** The version of a table or change. */
export const schemaForm = oneOf(TABLE_SCHEMA);

const rules = list(object(ruleFields));

/** The form of one policy's rules. */
export const policyForm = object({ policy: policyRef }, { ingress: rules, egress: rules });

const selectors = {
  namespace: anyText,
  namespaceSelector: selector,
  podSelector: selector,
};

/** The form of a group. */
export const groupForm = object(
  { members: record(anyText, addressProblem) },
  { ...selectors, partial: oneOf(true), ports: record(list(containerPort), addressProblem) },
);

/** The form of a table's Services, or of a shard of them. */
export const servicesForm = record(virtualPort, virtualKeyProblem);

const tableFields = object({
  schema: schemaForm,
  revision: whole,
  subject,
  policies: record(policyForm),
  groups: record(groupForm),
  services: servicesForm,
});

/** A table as JSON says it. */
export type TableJson = TypeOf<typeof tableFields>;

type PolicyJson = TypeOf<typeof policyForm>;
type GroupJson = TypeOf<typeof groupForm>;

/** What changes in one group: it whole, or its members, by address. `null`: gone. */
const groupChange = object(
  {},
  {
    group: groupForm,
    members: record(nullable(anyText), addressProblem),
    ports: record(nullable(list(containerPort)), addressProblem),
  },
);

const changeFields = object(
  {
    schema: schemaForm,
    /** The revision this applies to; any other is a gap. */
    from: whole,
    revision: whole,
  },
  {
    subject,
    policies: record(nullable(policyForm)),
    groups: record(nullable(groupChange)),
    services: record(nullable(virtualPort), virtualKeyProblem),
  },
);

/** What changes between two revisions of one table, as JSON says it. Absent fields are unchanged; `null` removes an entry. */
export type TableChange = TypeOf<typeof changeFields>;

/** What changes in one group, as JSON says it. */
export type GroupChange = TypeOf<typeof groupChange>;

function misnamedPolicy(
  policies: Iterable<readonly [string, Pick<PolicyJson, 'policy'> | null]>,
): Problem | undefined {
  for (const [key, one] of policies)
    if (one !== null && policyKey(one.policy) !== key)
      return problem(`is the policy ${policyKey(one.policy)}`, `.policies[${JSON.stringify(key)}]`);
  return undefined;
}

/** Every group that a rule asks for is there: a rule without its group would silently admit nothing. */
function missingGroup(
  policies: Iterable<readonly [string, PolicyJson]>,
  hasGroup: (id: string) => boolean,
): Problem | undefined {
  for (const [key, one] of policies) {
    for (const direction of ['ingress', 'egress'] as const) {
      for (const [i, { peers }] of (one[direction] ?? []).entries()) {
        for (const [j, peer] of peers.entries()) {
          if (peer.kind === 'ipBlock' || hasGroup(peer.group)) continue;
          const path = `.policies[${JSON.stringify(key)}].${direction}[${i}].peers[${j}].group`;
          return problem(`names a missing group: "${peer.group}"`, path);
        }
      }
    }
  }
  return undefined;
}

/** What is wrong with a table whose parts are right each for itself, if anything. */
export function tableProblem({ policies, groups }: Table): Problem | undefined {
  return misnamedPolicy(policies) ?? missingGroup(policies, (id) => groups.has(id));
}

/**
 * A form of another version is refused for that reason, not for the first field that differs.
 * @param schema the form of its version
 */
export function ofSchema<T>(schema: AnyShape, { check }: Shape<T>): Shape<T> {
  return new Shape((value) => {
    const found = isRecord(value) && Object.hasOwn(value, 'schema') ? schema.check(value.schema) : undefined;
    return found === undefined ? check(value) : problem(found.text, '.schema');
  });
}

/** A table. */
export const tableForm: Shape<TableJson> = ofSchema(
  schemaForm,
  refined<TableJson>(
    tableFields,
    ({ policies }) => misnamedPolicy(Object.entries(policies)),
    ({ policies, groups }) => missingGroup(Object.entries(policies), (id) => Object.hasOwn(groups, id)),
  ),
);

/** A change. Whether it fits a table shows when it is applied. */
export const changeForm: Shape<TableChange> = ofSchema(
  schemaForm,
  refined<TableChange>(
    changeFields,
    ({ from, revision }) =>
      revision > from
        ? undefined
        : problem(`must be greater than from (${from}), is ${revision}`, '.revision'),
    ({ policies }) => misnamedPolicy(Object.entries(policies ?? {})),
    ({ groups }) => unclearGroup(groups ?? {}),
  ),
);

/** A group comes whole or changes by members, perhaps with their ports: both at once would mean two things. */
function unclearGroup(groups: NonNullable<TableChange['groups']>): Problem | undefined {
  for (const [id, change] of Object.entries(groups)) {
    if (change === null) continue;
    const { group, members, ports } = change;
    if (group === undefined ? members !== undefined : (members ?? ports) === undefined) continue;
    return problem('must have either group or members', `.groups[${JSON.stringify(id)}]`);
  }
  return undefined;
}

/** The error for a table or frame of another form. */
export function malformed(problem: string): SluiceError {
  const advice = 'check that both ends run the same version of Sluice';
  return new SluiceError('TABLE_MALFORMED', `${problem}; ${advice}`);
}

/** Reads a table that is parsed already. Throws TABLE_MALFORMED with the path of what is wrong; refused whole. */
export function readTable(value: unknown): Table {
  return tableOf(tableForm.read(value, 'table', malformed));
}

/** What JSON says of a policy's rules becomes what a table holds. */
export function policyOf({ policy, ingress, egress }: PolicyJson): PolicyRules {
  const own = (list: PolicyJson['ingress']): readonly TableRule[] | undefined =>
    list?.map((rule) => ({ ...rule, policy }));
  return { policy, ...defined('ingress', own(ingress)), ...defined('egress', own(egress)) };
}

/** The same of a group. */
export function groupOf({ members, ports, ...test }: GroupJson): AddressGroup {
  return {
    ...test,
    members: PersistentMap.from(Object.entries(members)),
    ...(ports === undefined ? {} : { ports: PersistentMap.from(Object.entries(ports)) }),
  };
}

/** The same of a table. */
export function tableOf({ revision, subject, policies, groups, services }: TableJson): Table {
  const entries = Object.entries(policies).map(([key, one]): [string, PolicyRules] => [key, policyOf(one)]);
  return tableWith({
    revision,
    subject,
    policies: inOrder(entries),
    groups: new Map(Object.entries(groups).map(([id, one]) => [id, groupOf(one)])),
    services: ServiceMap.from(Object.entries(services)),
  });
}

/**
 * A table of its parts: its directions follow from its policies.
 * @param previous the table before it: a direction that says the same is taken from there
 */
export function tableWith(parts: Omit<Table, 'ingress' | 'egress'>, previous?: Table): Table {
  const of = (direction: Direction): DirectionTable => {
    const before = previous?.[direction];
    const now = directionOf(direction, parts.policies.values());
    return before !== undefined && sameData(before, now) ? before : now;
  };
  return { ...parts, ingress: of('ingress'), egress: of('egress') };
}

/** Policies in the order in which they are asked: that of their keys. */
export function inOrder(
  policies: Iterable<readonly [string, PolicyRules]>,
): ReadonlyMap<string, PolicyRules> {
  return new Map([...policies].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What JSON says of a policy's rules. */
export function policyJson({ policy, ingress, egress }: PolicyRules): PolicyJson {
  const own = (list: readonly TableRule[] | undefined) => list?.map(({ policy: _, ...rule }) => rule);
  return { policy, ...defined('ingress', own(ingress)), ...defined('egress', own(egress)) };
}

/** What JSON says of a group. */
export function groupJson({ members, ports, ...test }: AddressGroup): GroupJson {
  return {
    ...test,
    members: Object.fromEntries(members),
    ...(ports === undefined ? {} : { ports: Object.fromEntries(ports) }),
  };
}

/** What JSON says of a table. For tests and people: the injector puts parts that many tables share into text once, and `text.ts` writes files. */
export function tableJson({ revision, subject, policies, groups, services }: Table): TableJson {
  return {
    schema: TABLE_SCHEMA,
    revision,
    subject,
    policies: Object.fromEntries([...policies].map(([key, one]) => [key, policyJson(one)])),
    groups: Object.fromEntries([...groups].map(([id, one]) => [id, groupJson(one)])),
    services: Object.fromEntries(services),
  };
}

function defined<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}
