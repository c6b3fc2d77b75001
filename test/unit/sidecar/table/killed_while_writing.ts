/**
 * Keeps one table after the other, in each folder that its arguments name, as fast as the disk takes them, and says on standard
 * output which revision is kept in which folder. It ends when it is killed. Now and then several changes come at once, or a
 * whole table.
 */
import { writeSync } from 'node:fs';
import { applyChange } from '../../../../policy/index.ts';
import { TableFile } from '../../../../sidecar/table/file.ts';
import { admitting, memberAt, tableAt } from './journaled_tables.ts';

const STDOUT = 1;

/** A whole table comes every so many rounds. */
const WHOLE_EVERY = 50;

const [, , begin = '', ...folders] = process.argv;

async function keep(folder: string, index: number): Promise<never> {
  const file = new TableFile(folder, (error) => {
    throw error;
  });
  let revision = Number(begin);
  let table = tableAt(revision);
  file.save(table);
  for (let round = 1; ; round += 1) {
    await file.flush();
    writeSync(STDOUT, `${index} ${revision}\n`);
    for (let i = 0; i < 1 + (round % 3); i += 1) {
      const change = admitting(revision, memberAt(revision + 1));
      revision += 1;
      table = applyChange(table, change).table;
      file.save(table, round % WHOLE_EVERY === 0 ? undefined : [change]);
    }
  }
}

await Promise.all(folders.map(keep));
