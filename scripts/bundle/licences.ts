/** The licences of the packages in a bundle: they ask to go along with every copy. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

const PACKAGE = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/**
 * @param sources paths from `root`, as a bundle lists what went in
 * @returns name, version, licence and its text, package by package
 */
export async function licences(root: string, sources: readonly string[]): Promise<string> {
  const folders = new Set(sources.flatMap((path) => PACKAGE.exec(path)?.[0] ?? []));
  const texts = [...folders].sort().map(async (folder) => {
    const path = join(root, folder);
    const { name, version, license } = JSON.parse(await readFile(join(path, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
      license?: string;
    };
    const files = (await readdir(path)).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort();
    const text = await Promise.all(files.map((file) => readFile(join(path, file), 'utf8')));
    return `${name} ${version} (${license ?? 'see below'})\n\n${text.map((part) => `${part.trim()}\n`).join('\n')}`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`);
}
