/** The licences of the packages in a bundle: they ask to go along with every copy. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { insideOf } from './inside.ts';
import type { PackageShare } from './provenance.ts';

/**
 * @param shares of all files together; their paths are from `root`
 * @returns name, version, licence and its text, package by package, and of the code of others inside them
 */
export async function licences(root: string, shares: readonly PackageShare[]): Promise<string> {
  const folders = new Set(shares.map(({ path }) => path));
  const texts = [...folders].sort().map(async (folder) => {
    const path = join(root, folder);
    const { name, version, license } = JSON.parse(await readFile(join(path, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
      license?: string;
    };
    const files = (await readdir(path))
      .filter((file) => /^((un)?licen[cs]e|copying|notice)/i.test(file))
      .sort();
    const text = await Promise.all(files.map((file) => readFile(join(path, file), 'utf8')));
    const inside = insideOf({ name, version }).map(async (code) => {
      const own = code.licence && (await readFile(join(root, code.licence), 'utf8'));
      return `Inside ${name}: ${code.name}\n\n${own ?? 'Its licence is in that of Node.'}`;
    });
    const parts = [...text, ...(await Promise.all(inside))].map((part) => `${part.trim()}\n`);
    return `${name} ${version} (${license ?? 'see below'})\n\n${parts.join('\n')}`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`);
}
