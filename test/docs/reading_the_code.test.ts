/** What docs/reading-the-code.md names is in the code, where the page says. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { firstColumn, PROJECT, readPage } from './markdown.ts';

const page = readPage('docs/reading-the-code.md');

/** A word in backquotes, and whether an arrow leads to it. */
const WORD = /(?<arrow>→\s+)?`(?<word>[^`\n]+)`/g;

/** `folder/file.ts`, `folder/file.ts:name`, `folder/file.ts:Class.member`, `folder/`. */
const PLACE = /^(?<path>[\w.-]+(?:\/[\w.-]+)*\/?)(?::(?<name>[\w.#]+))?$/;

/** `Class.member`; the class's file is named somewhere on the page. */
const MEMBER = /^[A-Z]\w+\.#?\w+$/;

/** After an arrow, a name of the file that was named last. */
const NAME = /^#?\w+$/;

interface Named {
  readonly file: string;
  readonly name: string;
}

const files = new Set<string>();
const names: Named[] = [];
const members = new Set<string>();
let lastFile = '';
for (const { groups: { arrow, word = '' } = {} } of page.text
  .replaceAll(/^```[\s\S]*?^```$/gm, '')
  .matchAll(WORD)) {
  const { path = '', name } = PLACE.exec(word)?.groups ?? {};
  if (MEMBER.test(word)) members.add(word);
  else if (path.includes('/')) {
    files.add(path);
    lastFile = path;
    if (name !== undefined) names.push({ file: path, name });
  } else if (arrow !== undefined && NAME.test(word)) names.push({ file: lastFile, name: word });
}

test('it names files and functions at all', () => {
  expect(files.size).toBeGreaterThan(80);
  expect(names.length).toBeGreaterThan(100);
  expect(members.size).toBeGreaterThan(20);
});

test('every file and folder that it names exists', () => {
  expect([...files].filter((file) => !existsSync(join(PROJECT, file)))).toEqual([]);
});

test('every function, class and constant that it names is declared in the file it is named with', () => {
  const missing = names.filter(({ file, name }) => !declares(file, name));
  expect(missing.map(({ file, name }) => `${file}:${name}`)).toEqual([]);
});

test('every member that it names without a file is declared in a file that it names', () => {
  const sources = [...files].filter((file) => file.endsWith('.ts'));
  const missing = [...members].filter((member) => !sources.some((file) => declares(file, member)));
  expect(missing).toEqual([]);
});

test('it explains every exported name with Table, and no other', () => {
  const explained = firstColumn(page, 'name');
  const exported = globSync(['policy/**/*.ts', 'sidecar/**/*.ts', 'injector/**/*.ts'], {
    cwd: PROJECT,
  }).flatMap((file) =>
    [...textOf(file).matchAll(/^export (?:class|interface|type) (\w*Table[A-Z]?\w*)\b/gm)].map(
      ([, name = '']) => name,
    ),
  );
  expect(explained.toSorted()).toEqual(exported.toSorted());
});

/** @param name a declaration, or `Class.member`: then both are in the file */
function declares(file: string, name: string): boolean {
  if (!existsSync(join(PROJECT, file))) return false;
  const text = textOf(file);
  return name.split('.').every((part) => declarationOf(file, part).test(text));
}

/** A declaration as the formatter writes it. A call in a line of its own looks the same: a text search is enough here. */
function declarationOf(file: string, name: string): RegExp {
  if (file.endsWith('.c')) return new RegExp(`^[a-z][\\w *]*\\b${name}\\(`, 'm');
  const declared = `\\b(?:function\\*?|class|interface|type|const|let) ${name}\\b`;
  const member = `^ +(?:(?:static|readonly|async|get|set) )*\\*?${name}\\??[(<:=;]`;
  return new RegExp(`${declared}|${member}`, 'm');
}

function textOf(file: string): string {
  return readFileSync(join(PROJECT, file), 'utf8');
}
