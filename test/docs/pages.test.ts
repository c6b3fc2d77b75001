import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { allPages, codeBlocks, PROJECT, readPage } from './markdown.ts';

/** Paths that exist on one person's machine only. */
const MACHINE_PATH = /(?:^|[\s"'(`=])(\/(?:work|root|home|Users|private)\/[^\s`)]*)/gm;

test.each(allPages().map((page) => [page.path, page] as const))('links of %s resolve', (_, page) => {
  const links = [...page.text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  const local = links.filter((target) => !/^[a-z]+:/.test(target));
  for (const target of local) {
    const [path = '', anchor] = target.split('#');
    const file = path === '' ? page.path : normalize(join(dirname(page.path), path));
    expect(existsSync(join(PROJECT, file)), `${page.path} links to ${target}`).toBe(true);
    if (anchor !== undefined)
      expect(anchors(readPage(file).text), `${page.path} links to ${target}`).toContain(anchor);
  }
});

test('no page names a path of one machine', () => {
  const found = allPages().flatMap(({ path, text }) =>
    [...text.matchAll(MACHINE_PATH)].map(([, name]) => `${path}: ${name}`),
  );
  expect(found).toEqual([]);
});

test('every npm script that a page mentions exists', () => {
  const mentioned = allPages().flatMap(({ text }) =>
    [...text.matchAll(/npm run ([a-z]+)/g)].map(([, name]) => name),
  );
  expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(mentioned));
});

test('the newest entry of CHANGELOG.md is the version of package.json', () => {
  const [, newest] = /^## (\d+\.\d+\.\d+)/m.exec(readPage('CHANGELOG.md').text) ?? [];
  expect(newest).toBe(manifest.version);
});

test('decisions are numbered without gaps, titled by their number, and listed', () => {
  const files = readdirSync(join(PROJECT, 'docs/adr'))
    .filter((name) => /^\d{4}-/.test(name))
    .sort();
  const index = readPage('docs/adr/README.md').text;
  files.forEach((name, position) => {
    const number = String(position + 1).padStart(4, '0');
    const [title = ''] = readPage(`docs/adr/${name}`).text.split('\n');
    expect(title.startsWith(`# ${number}: `), `${name}: ${title}`).toBe(true);
    expect(index).toContain(`[${title.slice(2)}](${name})`);
  });
});

test('the `sluice can` commands of README.md work', () => {
  const commands = codeBlocks(readPage('README.md'), 'sh')
    .flatMap((block) => block.split('\n'))
    .filter((line) => line.startsWith('cli/bin/sluice can '));
  expect(commands.length).toBeGreaterThan(0);
  for (const command of commands) {
    const [file = '', ...args] = command.split(' ');
    const { status, stderr } = spawnSync(join(PROJECT, file), args, { cwd: PROJECT, encoding: 'utf8' });
    expect(stderr, command).toBe('');
    expect([0, 1], command).toContain(status);
  }
});

/** GitHub's anchors of the headings. */
function anchors(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}
