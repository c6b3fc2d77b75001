/** Every decision record has the same head, and stands in the index under its own title. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT, readPage } from './markdown.ts';

const RECORDS = readdirSync(join(PROJECT, 'docs/adr')).filter((name) => /^\d{4}-/.test(name));

test.each(RECORDS)('%s says its status, its date and what it supersedes', (name) => {
  const { text } = readPage(`docs/adr/${name}`);
  expect(text).toMatch(
    /^# \d{4}: .+\n\n- Status: .+\n- Date: \d{4}-\d{2}-\d{2}\n- Supersedes: .+\n- Superseded by: .+\n/,
  );
});

test('the index lists each record once, in order, by its title', () => {
  const listed = readPage('docs/adr/README.md').text.match(/^- \[.*$/gm);
  const titled = RECORDS.sort().map(
    (name) => `- [${readPage(`docs/adr/${name}`).text.slice(2).split('\n')[0]}](${name})`,
  );
  expect(listed).toEqual(titled);
});
