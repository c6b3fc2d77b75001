import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { replaceFile } from '../../../../cli/lint/replace_file.ts';
import { temporaryDirectory } from '../../../builders/cli_manifests.ts';

const seen = vi.hoisted(() => ({ modes: [] as number[], chown: undefined as Error | undefined }));

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  return {
    ...fs,
    chownSync: (path: string, uid: number, gid: number) => {
      seen.modes.push(fs.statSync(path).mode & 0o777);
      if (seen.chown !== undefined) throw seen.chown;
      fs.chownSync(path, uid, gid);
    },
  };
});

function fileWith(text: string): { readonly dir: string; readonly file: string } {
  const dir = temporaryDirectory();
  const file = join(dir, 'policy.yaml');
  writeFileSync(file, text, { mode: 0o640 });
  return { dir, file };
}

test('until it has the owner of the file, nobody else can read the draft', () => {
  const { dir, file } = fileWith('before');
  seen.modes.length = 0;
  replaceFile(file, 'after');
  expect(seen.modes).toEqual([0o600]);
  expect(readFileSync(file, 'utf8')).toBe('after');
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(dir)).toEqual(['policy.yaml']);
});

test('a file that has the name of the draft is left alone, and so is the file', () => {
  const { file } = fileWith('before');
  const draft = `${file}.${process.pid}.draft`;
  writeFileSync(draft, 'of somebody');
  expect(() => replaceFile(file, 'after')).toThrow('EEXIST');
  expect(readFileSync(draft, 'utf8')).toBe('of somebody');
  expect(readFileSync(file, 'utf8')).toBe('before');
});

test('where the owner cannot be kept the file is written in place, and no draft is left', () => {
  const { dir, file } = fileWith('before');
  seen.chown = Object.assign(new Error('EPERM'), { code: 'EPERM' });
  try {
    replaceFile(file, 'after');
  } finally {
    seen.chown = undefined;
  }
  expect(readFileSync(file, 'utf8')).toBe('after');
  expect(readdirSync(dir)).toEqual(['policy.yaml']);
});
