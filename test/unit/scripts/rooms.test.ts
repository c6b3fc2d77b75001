import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { figures } from '../../../scripts/rooms/figures.ts';
import { type Arrow, arrowsOf } from '../../../scripts/rooms/imports.ts';
import { problemsOf } from '../../../scripts/rooms/problems.ts';

describe('what the check of rooms finds', () => {
  test('nothing in a tree that keeps the rules', () => {
    expect(
      problems(
        'sidecar/inbound/inbound.ts > sidecar/table/index.ts',
        'sidecar/table/index.ts > sidecar/table/table.ts',
        'sidecar/table/table.ts > common/errors.ts',
        'policy/rules/rule.ts > policy/verdict.ts',
        'policy/verdict.ts > common/errors.ts',
      ),
    ).toEqual([]);
  });

  test.each([
    ['of another room', 'sidecar/inbound/inbound.ts > sidecar/table/table.ts', 'sidecar/table/index.ts'],
    ['of another folder', 'cli/can/can.ts > policy/rules/rule.ts', 'policy/index.ts'],
    ['of a room below', 'policy/verdict.ts > policy/rules/rule.ts', 'policy/rules/index.ts'],
  ])('an import past the face %s', (_, arrow, face) => {
    expect(problems(arrow)).toEqual([expect.stringContaining(`: import ${face}, the face of the room`)]);
  });

  test.each([
    ['common/log.ts > policy/index.ts', 'common/ may not import policy/'],
    ['sidecar/run.ts > injector/tables/index.ts', 'sidecar/ may not import injector/'],
    ['lab/lab.ts > cli/main.ts', 'lab/ may not import cli/'],
    ['policy/key.ts > common/log.ts', 'policy/ is pure: of common/ it imports common/'],
  ])('an import up the layers: %s', (arrow, problem) => {
    expect(problems(arrow)).toEqual([expect.stringContaining(problem)]);
  });

  test('a circle of files, with its way', () => {
    expect(
      problems('common/a.ts > common/b.ts', 'common/b.ts > common/c.ts', 'common/c.ts > common/a.ts'),
    ).toContain('a circle of imports: common/a.ts -> common/b.ts -> common/c.ts -> common/a.ts');
  });

  test('a circle that is made of imports of types only', () => {
    expect(problems('common/a.ts > common/b.ts', 'common/b.ts type> common/a.ts')).toContain(
      'a circle of imports: common/a.ts -> common/b.ts -> common/a.ts',
    );
  });

  test('a circle of rooms, where no file imports itself', () => {
    expect(problems('lab/state/a.ts > lab/names/index.ts', 'lab/names/b.ts > lab/state/index.ts')).toEqual([
      'a circle of rooms in lab/: state -> names -> state',
    ]);
  });
});

describe('the imports of a file', () => {
  test('are found in each form, and types are known as such', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-rooms-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const text = [
      "import { readFileSync } from 'node:fs';",
      "import './effect.ts';",
      "import type { A } from './a.ts';",
      "import { type B, type C } from './b.ts';",
      "import {\n  d,\n  type D,\n} from '../d.ts';",
      "export { e } from './e.ts';",
      "const f = await import('./f.ts');",
    ].join('\n');
    writeFileSync(join(folder, 'one.ts'), text);
    expect(arrowsOf(folder, ['one.ts']).map(({ to, isType }) => [to, isType])).toEqual([
      ['effect.ts', false],
      ['a.ts', true],
      ['b.ts', true],
      ['../d.ts', false],
      ['e.ts', false],
      ['f.ts', false],
    ]);
  });
});

test('the figures say how large a room is, and how many imports stay in it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-rooms-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'a.ts'), 'one\ntwo\n');
  expect(figures(folder, ['a.ts'], [])).toMatch(/^\.\s+1\s+2\s+0$/m);
});

/** The problems of a graph. @param lines `from > to`; `from type> to` where only types are imported */
function problems(...lines: readonly string[]): readonly string[] {
  const arrows = lines.map((line): Arrow => {
    const [from = '', sign, to = ''] = line.split(' ');
    return { from, to, isType: sign === 'type>' };
  });
  const files = [...new Set(arrows.flatMap(({ from, to }) => [from, to]))];
  return problemsOf(files, arrows);
}
