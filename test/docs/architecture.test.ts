/** The tables of parts and rooms in docs/ARCHITECTURE.md against the tree, and against what scripts/rooms.ts checks. */
import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { LAYERS, problemOf } from '../../scripts/rooms/rules.ts';
import { firstColumn, PROJECT, readPage } from './markdown.ts';

const page = readPage('docs/ARCHITECTURE.md');

/** Of `common/` a folder may import some files only, or all. */
function importsOf(folder: string): readonly string[] {
  return (LAYERS[folder] ?? []).flatMap((other) => {
    if (other !== 'common') return [`${other}/`];
    const all = globSync('common/*.ts', { cwd: PROJECT });
    const may = all.filter((to) => problemOf({ from: `${folder}/any.ts`, to, isType: false }) === undefined);
    return may.length === all.length ? ['common/'] : may;
  });
}

test.each(Object.keys(LAYERS))('the table of parts says what %s/ may import', (folder) => {
  const row = page.text.split('\n').find((line) => line.startsWith(`| \`${folder}/\` |`));
  const [cell = ''] = row?.split(' | ').slice(2) ?? [];
  const named = [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name);
  expect(named.toSorted()).toEqual(importsOf(folder).toSorted());
});

test('the table of rooms has each room of the engine, the sidecar and the injector, and no other', () => {
  const faces = globSync(['policy/*/**/index.ts', 'sidecar/*/**/index.ts', 'injector/*/**/index.ts'], {
    cwd: PROJECT,
  });
  expect(firstColumn(page, 'room').toSorted()).toEqual(faces.map((face) => `${dirname(face)}/`).toSorted());
});
