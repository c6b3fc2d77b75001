/** The files that the checks look at. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LAYERS, topOf } from './rules.ts';

/** The TypeScript files of all layers, tests left out: those that git tracks, and new ones that it does not ignore. */
export function programFiles(root: string): readonly string[] {
  const list = ['ls-files', '-co', '--exclude-standard', '--deduplicate', '--', '*.ts', '*.tsx'];
  return execFileSync('git', list, { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((file) => topOf(file) in LAYERS && existsSync(join(root, file)));
}
