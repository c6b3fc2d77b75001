/** Small edits of a document's text: what an edit does not touch stays byte for byte, comments too. */
import {
  isCollection,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Pair,
  Scalar,
  stringify,
  type YAMLMap,
} from 'yaml';
import { unreachable } from '../../common/errors.ts';
import type { FieldPath } from './locate.ts';
import { parseTree } from './text.ts';

/** One edit of a field. */
export type FieldEdit =
  /** A scalar gets another value. */
  | { readonly kind: 'set'; readonly path: FieldPath; readonly value: string | number }
  /** A key gets another name. */
  | { readonly kind: 'rename'; readonly path: FieldPath; readonly key: string }
  /** An item of a list, a map, becomes part of the item before it. */
  | { readonly kind: 'merge'; readonly path: FieldPath }
  /** A map gets one more key, before its first one. `value` is YAML on one line. */
  | { readonly kind: 'addFirst'; readonly path: FieldPath; readonly key: string; readonly value: string }
  /** A map gets one more key, after the scalar at `path`. */
  | { readonly kind: 'addAfter'; readonly path: FieldPath; readonly key: string; readonly value: string }
  /** A list gets one more item. */
  | { readonly kind: 'append'; readonly path: FieldPath; readonly value: string };

/** A stretch of text, in UTF-16 units, and what takes its place. */
export interface TextReplacement {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What an edit does to a document; undefined where the text is of another form than the edit knows. */
export function createEditor(text: string): (edit: FieldEdit) => TextReplacement | undefined {
  const top: unknown = parseTree(text)?.document.contents;
  return (edit) => replacementOf(text, top, edit);
}

function replacementOf(text: string, top: unknown, edit: FieldEdit): TextReplacement | undefined {
  const isJson = /^\s*[{[]/.test(text);
  switch (edit.kind) {
    case 'set':
      return setScalar(nodeAt(top, edit.path), edit.value, isJson);
    case 'rename':
      return setScalar(pairAt(top, edit.path)?.key, edit.key, isJson);
    case 'merge':
      return merge(text, top, edit.path);
    default:
      return isJson ? undefined : additionOf(text, top, edit);
  }
}

/** What is added is written as YAML. */
function additionOf(
  text: string,
  top: unknown,
  edit: Extract<FieldEdit, { kind: 'addFirst' | 'addAfter' | 'append' }>,
): TextReplacement | undefined {
  switch (edit.kind) {
    case 'addFirst':
      return addFirst(text, nodeAt(top, edit.path), `${edit.key}: ${edit.value}`);
    case 'addAfter':
      return addAfter(text, top, edit.path, `${edit.key}: ${edit.value}`);
    case 'append':
      return append(text, nodeAt(top, edit.path), edit.value);
    default:
      return unreachable(edit);
  }
}

/** Aliases are not followed: an edit of an anchor is one of all that uses it. */
function nodeAt(top: unknown, path: FieldPath): unknown {
  return path.reduce((node, step) => {
    if (isSeq(node) && typeof step === 'number') return node.items[step];
    return isMap(node) ? pairIn(node, step)?.value : undefined;
  }, top);
}

function pairAt(top: unknown, path: FieldPath): Pair | undefined {
  const parent = nodeAt(top, path.slice(0, -1));
  const [key = ''] = path.slice(-1);
  return isMap(parent) ? pairIn(parent, key) : undefined;
}

function pairIn(map: YAMLMap, step: string | number): Pair | undefined {
  return map.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
}

function setScalar(node: unknown, value: string | number, isJson: boolean): TextReplacement | undefined {
  if (!isScalar(node) || node.anchor !== undefined || !isOneLine(node)) return undefined;
  const range = rangeOf(node);
  return range && { ...range, text: isJson ? JSON.stringify(value) : scalarText(node, value) };
}

function isOneLine({ type }: Scalar): boolean {
  return type === Scalar.PLAIN || type === Scalar.QUOTE_DOUBLE || type === Scalar.QUOTE_SINGLE;
}

function scalarText({ type }: Scalar, value: string | number): string {
  if (typeof value === 'number') return String(value);
  return type === Scalar.QUOTE_DOUBLE ? JSON.stringify(value) : stringify(value).trimEnd();
}

function merge(text: string, top: unknown, path: FieldPath): TextReplacement | undefined {
  const at = path.at(-1);
  if (typeof at !== 'number' || at === 0) return undefined;
  const before = nodeAt(top, [...path.slice(0, -1), at - 1]);
  const item = nodeAt(top, path);
  if (!isMap(before) || !isMap(item)) return undefined;
  const [first, second] = [rangeOf(before), rangeOf(item)];
  if (first === undefined || second === undefined) return undefined;
  if (before.flow === true && item.flow === true) {
    const [start, end] = [first.end - 1, second.start + 1];
    return /^\}[\s,-]*\{$/.test(text.slice(start, end)) ? { start, end, text: ', ' } : undefined;
  }
  if (before.flow === true || item.flow === true) return undefined;
  const dash = text.slice(0, second.start).search(/-[ ]+$/);
  if (dash === -1 || columnOf(text, first.start) !== columnOf(text, second.start)) return undefined;
  return { start: dash, end: dash + 1, text: ' ' };
}

function addFirst(text: string, map: unknown, entry: string): TextReplacement | undefined {
  if (!isMap(map)) return undefined;
  const start = rangeOf(map.items[0]?.key)?.start;
  if (start === undefined) return undefined;
  if (map.flow === true) return { start, end: start, text: `${entry}, ` };
  return { start, end: start, text: `${entry}${lineEnd(text)}${' '.repeat(columnOf(text, start))}` };
}

function addAfter(text: string, top: unknown, path: FieldPath, entry: string): TextReplacement | undefined {
  const map = nodeAt(top, path.slice(0, -1));
  const pair = pairAt(top, path);
  const [key, value] = [rangeOf(pair?.key), rangeOf(pair?.value)];
  if (!isMap(map) || !isScalar(pair?.value) || key === undefined || value === undefined) return undefined;
  if (map.flow === true) return { start: value.end, end: value.end, text: `, ${entry}` };
  const at = endOfLine(text, value.end);
  return { start: at, end: at, text: `${lineEnd(text)}${' '.repeat(columnOf(text, key.start))}${entry}` };
}

function append(text: string, list: unknown, value: string): TextReplacement | undefined {
  if (!isSeq(list)) return undefined;
  const last = list.items.at(-1);
  const range = rangeOf(last);
  if (range === undefined || isCollection(last)) return undefined;
  if (list.flow === true) return { start: range.end, end: range.end, text: `, ${value}` };
  const dash = text.slice(0, range.start).search(/-[ ]+$/);
  if (dash === -1) return undefined;
  const at = endOfLine(text, range.end);
  return { start: at, end: at, text: `${lineEnd(text)}${' '.repeat(columnOf(text, dash))}- ${value}` };
}

function rangeOf(node: unknown): { readonly start: number; readonly end: number } | undefined {
  if (!isNode(node) || !node.range) return undefined;
  const [start, end] = node.range;
  return { start, end };
}

/** From 0. */
function columnOf(text: string, offset: number): number {
  return offset - (text.lastIndexOf('\n', offset - 1) + 1);
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  const at = end === -1 ? text.length : end;
  return text[at - 1] === '\r' ? at - 1 : at;
}

function lineEnd(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}
