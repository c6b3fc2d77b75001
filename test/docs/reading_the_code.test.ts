/** What docs/reading-the-code.md names is in the code, where the page says; and each arrow is a call. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { firstColumn, PROJECT, readPage } from './markdown.ts';

const page = readPage('docs/reading-the-code.md');

/** A word in backquotes, and whether an arrow leads to it. */
const WORD = /(?<arrow>→\s+)?`(?<word>[^`\n]+)`/g;

/** `folder/file.ts`, `folder/file.ts:name`, `folder/file.ts:Class.member`, `folder/`. */
const PLACE = /^(?<path>[\w.-]+(?:\/[\w.-]+)*\/?)(?::(?<name>[\w.#]+))?$/;

/** `Class.member`, of a class whose file is named somewhere on the page. */
const MEMBER = /^[A-Z]\w+\.#?\w+$/;

/** After an arrow: a function or a member of the file that was named last. */
const NAME = /^#?\w+$/;

/** A declaration that the page names. */
interface Named {
  readonly file: string;
  readonly name: string;
}

/** A call that the page names. */
interface Arrow {
  readonly from: Named;
  readonly to: Named;
}

const { files, names, members, arrows } = readNames();

test('it names files, functions and calls at all', () => {
  expect(files.size).toBeGreaterThan(80);
  expect(names.length).toBeGreaterThan(100);
  expect(members.size).toBeGreaterThan(10);
  expect(arrows.length).toBeGreaterThan(40);
});

test('every file and folder that it names exists', () => {
  expect([...files].filter((file) => !existsSync(join(PROJECT, file)))).toEqual([]);
});

test('every function, class and constant that it names is declared in the file it is named with', () => {
  expect(names.filter((named) => placeOf(named) === undefined).map(textOfName)).toEqual([]);
});

test('every member that it names without a file is declared in a file that it names', () => {
  const sources = [...files].filter((file) => file.endsWith('.ts'));
  const isDeclared = (name: string) => sources.some((file) => placeOf({ file, name }) !== undefined);
  expect([...members].filter((member) => !isDeclared(member))).toEqual([]);
});

test('every arrow leads from a function to one that it calls', () => {
  const wrong = arrows.filter(({ from, to }) => !mentions(from, lastPart(to.name)));
  expect(wrong.map(({ from, to }) => `${textOfName(from)} → ${textOfName(to)}`)).toEqual([]);
});

test('it explains every exported name with Table, and no other', () => {
  const sources = globSync(['policy/**/*.ts', 'sidecar/**/*.ts', 'injector/**/*.ts'], { cwd: PROJECT });
  const exported = sources.flatMap((file) =>
    [...textOf(file).matchAll(/^export (?:class|interface|type) (\w*Table[A-Z]?\w*)\b/gm)].map(
      ([, name = '']) => name,
    ),
  );
  expect(firstColumn(page, 'name').toSorted()).toEqual(exported.toSorted());
});

function readNames() {
  const files = new Set<string>();
  const names: Named[] = [];
  const members = new Set<string>();
  const arrows: Arrow[] = [];
  let last: Named = { file: '', name: '' };
  const add = (named: Named, arrow: string | undefined): void => {
    names.push(named);
    if (arrow !== undefined) arrows.push({ from: last, to: named });
    last = named;
  };
  const text = page.text.replaceAll(/^```[\s\S]*?^```$/gm, '');
  for (const { groups: { arrow, word = '' } = {} } of text.matchAll(WORD)) {
    const { path = '', name } = PLACE.exec(word)?.groups ?? {};
    if (MEMBER.test(word)) {
      members.add(word);
      if (arrow !== undefined) add({ file: last.file, name: word }, arrow);
    } else if (path.includes('/')) {
      files.add(path);
      if (name !== undefined) add({ file: path, name }, arrow);
    } else if (arrow !== undefined && NAME.test(word)) {
      // `#member` is of the class that was named last.
      const [owner] = last.name.split('.');
      add({ file: last.file, name: word.startsWith('#') ? `${owner}.${word}` : word }, arrow);
    }
  }
  return { files, names, members, arrows };
}

/** Where a declaration begins; of `Class.member` the member's, behind the class's. */
function placeOf({ file, name }: Named): number | undefined {
  if (!existsSync(join(PROJECT, file))) return undefined;
  const text = textOf(file);
  const [first = '', member] = name.split('.');
  const found = declarationOf(file, first).exec(text) ?? memberOf(first).exec(text);
  if (found === null || member === undefined) return found?.index;
  const inside = memberOf(member).exec(text.slice(found.index));
  return inside === null ? undefined : found.index + inside.index;
}

/** A declaration of its own, as the formatter writes it. */
function declarationOf(file: string, name: string): RegExp {
  if (file.endsWith('.c')) return new RegExp(`^[a-z][\\w *]*\\b${name}\\(`, 'm');
  return new RegExp(
    `^ *(?:export )?(?:async )?(?:function\\*?|class|interface|type|const|let) ${name}\\b`,
    'm',
  );
}

/** A member of a class or an object. A call in a line of its own looks the same: a text search is enough here. */
function memberOf(name: string): RegExp {
  return new RegExp(`^ +(?:(?:static|readonly|async|get|set) )*\\*?${name}\\??[(<:=;]`, 'm');
}

/** Whether a word stands in a declaration: up to the bracket that is as far in as its first line. */
function mentions(named: Named, word: string): boolean {
  const text = textOf(named.file).slice(placeOf(named));
  const [indent = ''] = /^ */.exec(text) ?? [];
  const { index = text.length } = new RegExp(`^${indent}[}\\]][;,)]*$`, 'm').exec(text) ?? {};
  return new RegExp(`(?<![\\w#])${word}\\b`).test(text.slice(0, index));
}

function lastPart(name: string): string {
  return name.split('.').at(-1) ?? name;
}

function textOfName({ file, name }: Named): string {
  return `${file}:${name}`;
}

function textOf(file: string): string {
  return readFileSync(join(PROJECT, file), 'utf8');
}
