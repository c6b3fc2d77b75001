/** The import graph of the project's own TypeScript files. */
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** One import. Paths are relative to the project. */
export interface Arrow {
  readonly from: string;
  readonly to: string;
  /** The import names types only: it is gone at run time. */
  readonly isType: boolean;
}

/** Imports as the formatter writes them: `import … from '…'`, `import '…'`, `export … from '…'`, `import('…')`. */
const IMPORT =
  /^(?:import|export)(?<type> type)?\b(?<names>[^'";]*?)\bfrom '(?<from>\.[^']+)'|^import '(?<effect>\.[^']+)'|\bimport\(\s*'(?<dynamic>\.[^']+)'/gm;

/** All imports of `files`, in order. */
export function arrowsOf(root: string, files: readonly string[]): readonly Arrow[] {
  return files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return [...text.matchAll(IMPORT)].map(({ groups = {} }): Arrow => {
      const { type, names = '', from, effect, dynamic } = groups;
      const to = normalize(join(dirname(file), from ?? effect ?? dynamic ?? ''));
      return { from: file, to, isType: type !== undefined || namesTypesOnly(names) };
    });
  });
}

function namesTypesOnly(names: string): boolean {
  const list = /\{(?<list>[^}]*)\}/.exec(names)?.groups?.list;
  if (list === undefined) return false;
  const items = list.split(',').flatMap((item) => item.trim() || []);
  return items.length > 0 && items.every((item) => item.startsWith('type '));
}
