/** What the docs tests read out of the project's pages. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The project's folder. */
export const PROJECT = join(import.meta.dirname, '../..');

/** Folders that are not ours to document. */
const SKIPPED = new Set(['node_modules', '.git', 'coverage', 'build']);

/** A page and its path from the project's folder. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** One page. */
export function readPage(path: string): Page {
  return { path, text: readFileSync(join(PROJECT, path), 'utf8') };
}

/** Every Markdown page of the project. */
export function allPages(folder = ''): readonly Page[] {
  return readdirSync(join(PROJECT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : allPages(path);
    return entry.name.endsWith('.md') ? [readPage(path)] : [];
  });
}

/** The first column of every table row below a heading row that begins with `head`, without backquotes. */
export function firstColumn(page: Page, head: string): readonly string[] {
  const lines = page.text.split('\n');
  const cells: string[] = [];
  let inside = false;
  for (const line of lines) {
    const cell = /^\| (.*?) \|/.exec(line)?.[1];
    if (cell === undefined) inside = false;
    else if (cell === head) inside = true;
    else if (inside && cell !== '---') cells.push(cell.replaceAll('`', ''));
  }
  return cells;
}

/** The content of fenced code blocks of one language. */
export function codeBlocks(page: Page, language: string): readonly string[] {
  return [...page.text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(([, name, content]) =>
    name === language && content !== undefined ? [content] : [],
  );
}
