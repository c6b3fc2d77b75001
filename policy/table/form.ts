/** The form of tables and deltas that come from outside: their fields, and what no single field shows. */

import { SluiceError } from '../../common/errors.ts';
import { isRecord, type Problem, problem, refined, Shape } from '../../common/shape.ts';
import { strayMember } from './membership.ts';
import { deltaFields, schema, type Table, type TableDelta, tableFields } from './table.ts';

/** A form of another version is refused for that reason, not for the first field that differs. */
function ofKnownSchema<T>({ check }: Shape<T>): Shape<T> {
  return new Shape((value) => {
    const found = isRecord(value) && Object.hasOwn(value, 'schema') ? schema.check(value.schema) : undefined;
    return found === undefined ? check(value) : problem(found.text, '.schema');
  });
}

/** Every group that a rule asks for is there: a rule without its group would silently admit nothing. */
function missingGroup(table: Table): Problem | undefined {
  for (const direction of ['ingress', 'egress'] as const) {
    for (const [i, { peers }] of table[direction].rules.entries()) {
      for (const [j, peer] of peers.entries()) {
        if (peer.kind === 'ipBlock' || Object.hasOwn(table.groups, peer.group)) continue;
        return problem(
          `names a missing group: "${peer.group}"`,
          `.${direction}.rules[${i}].peers[${j}].group`,
        );
      }
    }
  }
  return undefined;
}

function misplacedMember(table: Table): Problem | undefined {
  const stray = strayMember(table);
  return (
    stray && problem(`does not select its member ${stray.address}`, `.groups[${JSON.stringify(stray.group)}]`)
  );
}

/** A table. */
export const tableForm: Shape<Table> = ofKnownSchema(
  refined<Table>(tableFields, missingGroup, misplacedMember),
);

/** A delta. Whether it fits a table shows when it is applied. */
export const deltaForm: Shape<TableDelta> = ofKnownSchema(
  refined<TableDelta>(deltaFields, ({ from, revision }) =>
    revision > from ? undefined : problem(`must be greater than from (${from}), is ${revision}`, '.revision'),
  ),
);

/** The error for a table or frame of another form. */
export function malformed(problem: string): SluiceError {
  const advice = 'check that both ends run the same version of Sluice';
  return new SluiceError('TABLE_MALFORMED', `${problem}; ${advice}`);
}

/** Reads a table that is parsed already. Throws TABLE_MALFORMED with the path of what is wrong; refused whole. */
export function readTable(value: unknown): Table {
  return tableForm.read(value, 'table', malformed);
}
