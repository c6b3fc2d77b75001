/** Where objects, and fields of them, stand in the files that they were read from. */
import { printable } from '../common/printable.ts';
import type { LoadedObject, ManifestFile, RawObject } from './files/index.ts';
import { type FieldPath, locate, splitDocuments, type TextPlace } from './text/index.ts';

export type { FieldPath } from './text/index.ts';

/** A place in a file; line and column count from 1. */
export interface Place extends TextPlace {
  readonly file: string;
}

/** Finds places in files. */
export interface Places {
  /**
   * Where a field of an object stands: its value where that is a scalar, else its key. Where the field is not there, the one
   * around it. Undefined for what comes from no text, such as an API server, and for a document too large to be looked at again.
   */
  find(object: Standing, path: FieldPath): Place | undefined;
}

/** Where an object stands: file, document, and place in it. */
export type Standing = Pick<LoadedObject | RawObject, 'file' | 'document' | 'within'>;

/** Documents whose trees are kept: a tree takes a hundred times its text. */
const KEPT_TREES = 16;

/** Documents are parsed again when somebody asks, the last few are kept. */
export function createPlaces(files: readonly ManifestFile[]): Places {
  const byName = new Map(files.map((file) => [file.file, file]));
  const trees = new Map<string, { readonly line: number; readonly find: ReturnType<typeof locate> }>();
  const documents = new Map<string, ReturnType<typeof splitDocuments>>();

  const documentsOf = (file: string, text: string) => {
    const known = documents.get(file) ?? splitDocuments(text);
    documents.set(file, known);
    return known;
  };

  const treeOf = (file: string, document: number) => {
    const key = `${document} ${file}`;
    const known = trees.get(key);
    if (known !== undefined) return known;
    const text = byName.get(file)?.text;
    const found = text === undefined ? undefined : documentsOf(file, text)[document - 1];
    if (found === undefined) return undefined;
    const tree = { line: found.line, find: locate(found.text) };
    trees.set(key, tree);
    const [oldest] = trees.keys();
    if (trees.size > KEPT_TREES && oldest !== undefined) trees.delete(oldest);
    return tree;
  };

  return {
    find({ file, document, within }, path) {
      const tree = treeOf(file, document);
      const found = tree?.find([...stepsOf(within), ...path]);
      if (tree === undefined || found === undefined) return undefined;
      return { file, line: tree.line + found.line - 1, column: found.column };
    },
  };
}

/** `items[3].items[0].` as steps. */
export function stepsOf(within = ''): FieldPath {
  return [...within.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map(([, key, index]) =>
    index === undefined ? (key ?? '') : Number(index),
  );
}

/** `web.yaml:12:5`, as compilers write it and editors open it. */
export function describePlace({ file, line, column }: Place): string {
  return `${printable(file)}:${line}:${column}`;
}
