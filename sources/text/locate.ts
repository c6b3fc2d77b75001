/** Where in a document's text a field stands. */
import { isMap, isNode, isScalar, isSeq, type Pair } from 'yaml';
import { parseTree } from './text.ts';

/** The way to a field: keys of maps and places in lists, from 0. */
export type FieldPath = readonly (string | number)[];

/** 1-based, in the document. */
export interface TextPlace {
  readonly line: number;
  readonly column: number;
}

/**
 * Finds fields of one document, which is parsed once: the value where it is a scalar, else its key, or the start of the
 * item of a list. Where a field is not there, the one around it; undefined where the text cannot be parsed.
 */
export function locate(text: string): (path: FieldPath) => TextPlace | undefined {
  const tree = parseTree(text);
  if (tree === undefined) return () => undefined;
  return (path) => {
    const { line, col } = tree.lines.linePos(offsetOf(tree.document.contents, path));
    return { line, column: col };
  };
}

function offsetOf(top: unknown, path: FieldPath): number {
  let node = top;
  let offset = startOf(top);
  for (const step of path) {
    if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      if (node === undefined || node === null) return offset;
      offset = startOf(node);
    } else if (isMap(node)) {
      const pair: Pair | undefined = node.items.find(
        ({ key }) => isScalar(key) && String(key.value) === String(step),
      );
      if (pair === undefined) return offset;
      node = pair.value;
      offset = isScalar(node) && node.value !== null ? startOf(node) : startOf(pair.key);
    } else {
      return offset;
    }
  }
  return offset;
}

function startOf(node: unknown): number {
  return (isNode(node) && node.range?.[0]) || 0;
}
