/** The text of a manifest file: cut into documents, each parsed on its own, so that one broken document spares the rest. */
import { type Document, isMap, isNode, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';

/** One document of a file. */
export interface TextDocument {
  /** 1-based. Blank text before the first `---` does not count. */
  readonly number: number;
  /** Line of the file the document starts at, 1-based. */
  readonly line: number;
  readonly text: string;
}

/** What a document holds; `undefined` for one that is only blank or comments. */
export type ParsedText =
  | { readonly ok: true; readonly value: unknown }
  | {
      readonly ok: false;
      readonly message: string;
      /** 1-based line and column in the document. */
      readonly line: number;
      readonly column: number;
      /** A broken document that is known to be a policy, with what it selects. */
      readonly policy?: Record<string, unknown>;
    };

/**
 * `---` at the start of a line always separates documents, also inside a block scalar
 * (YAML 1.2, 9.1.2 c-forbidden), so cutting the text there is exact.
 */
const SEPARATOR = /^---(?=[ \t\r\n]|$)/m;

/** Blank lines, comments and directives (`%YAML 1.2`). */
const NOTHING = /^(?:[ \t]*(?:#.*)?|%.*)$/;

/** Cuts a file's text into documents. */
export function splitDocuments(text: string): TextDocument[] {
  const documents: TextDocument[] = [];
  let line = 1;
  for (const [index, part] of text
    .replace(/^\uFEFF/, '')
    .split(SEPARATOR)
    .entries()) {
    if (index > 0 || !isNothing(part)) documents.push({ number: documents.length + 1, line, text: part });
    line += part.split('\n').length - 1;
  }
  return documents;
}

/** Parses one document: JSON, or YAML 1.2 with merge keys. Never throws. */
export function parseText(text: string): ParsedText {
  if (isNothing(text)) return { ok: true, value: undefined };
  const json = parseJson(text);
  if (json !== undefined) return { ok: true, value: json };
  const lines = new LineCounter();
  const document = parseDocument(text, { merge: true, prettyErrors: false, lineCounter: lines });
  const [error] = document.errors.toSorted((a, b) => a.pos[0] - b.pos[0]);
  if (error !== undefined) {
    const { line, col } = lines.linePos(error.pos[0]);
    const policy = salvagePolicy(document, text, error.pos[0]);
    return { ok: false, message: error.message, line, column: col, ...(policy ? { policy } : {}) };
  }
  try {
    return { ok: true, value: document.toJS() };
  } catch (cause) {
    // Aliases that expand without end.
    return { ok: false, message: cause instanceof Error ? cause.message : String(cause), line: 1, column: 1 };
  }
}

function isNothing(text: string): boolean {
  return text.split(/\r?\n/).every((line) => NOTHING.test(line));
}

/** `undefined` for what is not JSON: YAML covers it, and gives the better message. JSON.parse is much faster. */
function parseJson(text: string): unknown {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The subject of a policy whose text breaks off later on, as a policy without rules: what it selects stays isolated.
 * Only what is complete before the error counts: half a selector would select too much. Directions that the text
 * does not tell before the error are isolated if it mentions them at all.
 */
function salvagePolicy(document: Document, text: string, end: number): Record<string, unknown> | undefined {
  const { contents } = document;
  if (!isMap(contents)) return undefined;
  const known = (...path: string[]): unknown => completeValue(document, contents, path, end);
  const podSelector = known('spec', 'podSelector');
  const metadata = known('metadata');
  if (known('kind') !== 'NetworkPolicy' || metadata === undefined || podSelector === undefined)
    return undefined;
  const policyTypes = known('spec', 'policyTypes') ?? [
    'Ingress',
    ...(/egress/i.test(text) ? ['Egress'] : []),
  ];
  return {
    apiVersion: known('apiVersion'),
    kind: 'NetworkPolicy',
    metadata,
    spec: { podSelector, policyTypes },
  };
}

/** The value at `path`, if a later key beside it or beside one of its parents starts before `end`. */
function completeValue(document: Document, top: YAMLMap, path: readonly string[], end: number): unknown {
  let node: unknown = top;
  let complete = false;
  for (const key of path) {
    if (!isMap(node)) return undefined;
    const index = node.items.findIndex((pair) => keyText(pair.key) === key);
    const pair = node.items[index];
    if (pair === undefined || start(pair.key) >= end) return undefined;
    const next = node.items[index + 1];
    complete ||= next !== undefined && start(next.key) < end;
    node = pair.value;
  }
  return complete && isNode(node) ? (node as Node).toJS(document) : undefined;
}

function keyText(key: unknown): unknown {
  return isNode(key) && 'value' in key ? key.value : undefined;
}

function start(key: unknown): number {
  return (isNode(key) && key.range?.[0]) || 0;
}
