/** The form of tables and deltas that come from outside: their fields, and what no single field shows. */

import { SluiceError } from '../../common/errors.ts';
import { type Problem, problem, refined, type Shape } from '../../common/shape.ts';
import { malformed, ofSchema } from '../table/index.ts';
import { strayMember } from './membership.ts';
import { deltaFields, schema, type TableDeltaV1, type TableV1, tableFields } from './table.ts';

/** Every group that a rule asks for is there: a rule without its group would silently admit nothing. */
function missingGroup(table: TableV1): Problem | undefined {
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

function misplacedMember(table: TableV1): Problem | undefined {
  const stray = strayMember(table);
  return (
    stray && problem(`does not select its member ${stray.address}`, `.groups[${JSON.stringify(stray.group)}]`)
  );
}

/** A table. */
export const tableForm: Shape<TableV1> = ofSchema(
  schema,
  refined<TableV1>(tableFields, missingGroup, misplacedMember),
);

/** A delta. Whether it fits a table shows when it is applied. */
export const deltaForm: Shape<TableDeltaV1> = ofSchema(
  schema,
  refined<TableDeltaV1>(deltaFields, ({ from, revision }) =>
    revision > from ? undefined : problem(`must be greater than from (${from}), is ${revision}`, '.revision'),
  ),
);

/** Reads the text of a file with a table. Throws TABLE_MALFORMED with the file and the path of what is wrong; refused whole. */
export function readTableFile(json: string, file: string): TableV1 {
  return tableForm.readJson(json, 'table', (problem, cause) => {
    const next = 'it is not used, and the next table from the injector replaces it';
    return new SluiceError('TABLE_MALFORMED', `${file}: ${problem}; ${next}`, { cause });
  });
}

/** Reads a table that is parsed already. Throws TABLE_MALFORMED with the path of what is wrong; refused whole. */
export function readTable(value: unknown): TableV1 {
  return tableForm.read(value, 'table', malformed);
}
