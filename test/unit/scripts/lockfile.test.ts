/** What package-lock.json pins: every package by the hash of what is fetched, Node included. */
import { readFileSync, realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');

interface LockedPackage {
  readonly version: string;
  readonly integrity?: string;
  readonly hasInstallScript?: boolean;
  readonly optional?: boolean;
}

const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, LockedPackage>>;
};
const fetched = Object.entries(packages).filter(([path]) => path !== '');

test('every package has the hash of what is fetched', () => {
  const without = fetched.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'));
  expect(without.map(([path]) => path)).toEqual([]);
});

test('Node comes whole from such a package, and not by an install script, whose downloads no hash covers', () => {
  const file = relative(ROOT, realpathSync(join(ROOT, 'node_modules/.bin/node')));
  const path = /^node_modules\/[^/]+(?=\/bin\/node$)/.exec(file)?.[0] ?? file;

  expect(packages[path]).toMatchObject({ version: process.versions.node });
  expect(packages[path]?.hasInstallScript ?? false).toBe(false);
});
