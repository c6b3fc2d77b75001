/** The page about the native relay's protocol against the headers that define it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { firstColumn, PROJECT, readPage } from './markdown.ts';

const page = readPage('docs/internals/native-relay.md');

test.each([
  ['state', 'native/flow.h', 'flow_state'],
  ['command', 'native/relay.h', 'relay_command_kind'],
  ['report', 'native/relay.h', 'relay_event_kind'],
  ['end', 'native/relay.h', 'relay_end'],
])('it explains every %s that %s has, in order', (head, header, name) => {
  expect(firstColumn(page, head)).toEqual(enumerators(header, name));
});

/** The names of a C enumeration. */
function enumerators(header: string, name: string): readonly string[] {
  const text = readFileSync(join(PROJECT, header), 'utf8').replaceAll(/\/\/.*/g, '');
  const [, body = ''] = new RegExp(`enum ${name} {([^}]*)}`).exec(text) ?? [];
  return [...body.matchAll(/[A-Z_]+/g)].map(([found]) => found);
}
