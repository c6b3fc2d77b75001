/** The text of a manifest file: cut into documents, each parsed on its own, so that one broken document spares the rest. */
import {
  Composer,
  type CST,
  type Document,
  isMap,
  isNode,
  Lexer,
  LineCounter,
  type ParseOptions,
  Parser,
  type SchemaOptions,
  type YAMLMap,
  YAMLParseError,
} from 'yaml';
import { splitJsonObjects } from './json_stream.ts';
import { plainValue, YamlValueError } from './yaml_value.ts';
import { KUBECTL_TAGS } from './yaml_words.ts';

/** One document of a file. */
export interface TextDocument {
  /** 1-based. Blank text before the first `---` does not count. */
  readonly number: number;
  /** Line of the file the document starts at, 1-based. */
  readonly line: number;
  /** Where in the file's text it starts, in UTF-16 units. */
  readonly offset: number;
  readonly text: string;
}

/** One that has been cut out of a file. */
export interface CutDocument extends TextDocument {
  /** What it holds, where cutting it has shown that: of JSON. */
  readonly json?: unknown;
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
const SEPARATOR_LENGTH = 3;

/** Blank lines, comments and directives (`%YAML 1.2`). */
const NOTHING = /^(?:[ \t]*(?:#.*)?|%.*)$/;

/**
 * Bounds of a YAML document, known before a tree is made of it: a tree takes half a kilobyte for each token, and its
 * making a call for each level. A thousand pods in one list are beyond the first, and JSON, which has neither bound, is
 * what large lists are written in.
 */
export const MAX_TOKENS = 1_000_000;
/** Levels of nesting. */
export const MAX_DEPTH = 200;

/** The documents of a file's text, for who looks at their texts. */
export function splitDocuments(text: string): readonly TextDocument[] {
  return cutDocuments(text).map(({ json: _, ...document }) => document);
}

/** Cuts a file's text into documents: at `---`, and JSON objects that stand one after another. */
export function cutDocuments(text: string): readonly CutDocument[] {
  const documents: CutDocument[] = [];
  const marked = /^\uFEFF/.test(text) ? 1 : 0;
  let start = marked;
  const lineAt = lineCounter(text);
  for (const [index, part] of text.slice(marked).split(SEPARATOR).entries()) {
    let offset = start;
    for (const piece of piecesOf(part)) {
      if (index > 0 || !isNothing(piece.text)) {
        documents.push({ number: documents.length + 1, line: lineAt(offset), offset, ...piece });
      }
      offset += piece.text.length;
    }
    start += part.length + SEPARATOR_LENGTH;
  }
  return documents;
}

/** The documents between two separators. A list of the API is one object of many megabytes: it is not cut, but parsed, at once. */
function piecesOf(part: string): readonly Pick<CutDocument, 'text' | 'json'>[] {
  if (!looksLikeJson(part)) return [{ text: part }];
  const json = parseJson(part);
  return json === undefined ? splitJsonObjects(part).map((text) => ({ text })) : [{ text: part, json }];
}

/** Says the lines of offsets that grow; the text is looked through once, however many are asked about. */
function lineCounter(text: string): (offset: number) => number {
  let line = 1;
  let next = text.indexOf('\n');
  return (offset) => {
    for (; next !== -1 && next < offset; next = text.indexOf('\n', next + 1)) line += 1;
    return line;
  };
}

/**
 * Parses one document: JSON, or YAML with the words that kubectl knows. Never throws for what the text holds.
 * @param json what it holds, where that is known; see `CutDocument`
 */
export function parseText(text: string, json: unknown = parseJson(text)): ParsedText {
  if (json !== undefined) return { ok: true, value: json };
  if (isNothing(text)) return { ok: true, value: undefined };
  const lines = new LineCounter();
  const failed = (message: string, offset: number, document?: Document): ParsedText => {
    const { line, col } = lines.linePos(offset);
    const policy = document === undefined ? undefined : salvagePolicy(document, text, offset);
    return { ok: false, message, line, column: col, ...(policy ? { policy } : {}) };
  };
  const tokens = readTokens(text, lines);
  if (typeof tokens === 'string') return failed(tokens, 0);
  const document = compose(tokens, text.length);
  const [error] = document.errors.toSorted((a, b) => a.pos[0] - b.pos[0]);
  if (error !== undefined) return failed(error.message, error.pos[0], document);
  try {
    return { ok: true, value: plainValue(document.contents) };
  } catch (cause) {
    if (!(cause instanceof YamlValueError)) throw cause;
    return failed(cause.message, cause.offset, document);
  }
}

/** A document's tree with the lines of its text; undefined for one beyond the bounds. */
export function parseTree(
  text: string,
): { readonly document: Document; readonly lines: LineCounter } | undefined {
  const lines = new LineCounter();
  const tokens = readTokens(text, lines);
  return typeof tokens === 'string' ? undefined : { document: compose(tokens, text.length), lines };
}

/** The tokens of a text; what is wrong with it where it is beyond the bounds. */
function readTokens(text: string, lines: LineCounter): readonly CST.Token[] | string {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens: CST.Token[] = [];
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    count += 1;
    if (count > MAX_TOKENS)
      return `has more than ${MAX_TOKENS} YAML tokens: cut it into documents, or write it as JSON`;
    for (const token of parser.next(lexeme)) tokens.push(token);
    if (parser.stack.length > MAX_DEPTH) return `nests more than ${MAX_DEPTH} levels deep`;
  }
  return [...tokens, ...parser.end()];
}

/** Keys that are there twice are found by `plainValue`: the library compares each with each. */
function compose(tokens: readonly CST.Token[], end: number): Document {
  const options: ParseOptions & SchemaOptions = {
    schema: 'failsafe',
    customTags: [...KUBECTL_TAGS],
    uniqueKeys: false,
  };
  // With `true` there is a document, however little the tokens say.
  const [first, second] = [...new Composer(options).compose(tokens, true, end)] as [Document, Document?];
  if (second !== undefined) {
    const message = 'another document begins without --- before it';
    const [start = 0] = second.range ?? [];
    first.errors.push(new YAMLParseError([start, start], 'MULTIPLE_DOCS', message));
  }
  return first;
}

/** Looks no further than the first line that is something. */
function isNothing(text: string): boolean {
  for (let at = 0; ; ) {
    const end = text.indexOf('\n', at);
    if (end === -1) return NOTHING.test(text.slice(at));
    if (!NOTHING.test(text.slice(at, end).replace(/\r$/, ''))) return false;
    at = end + 1;
  }
}

function looksLikeJson(text: string): boolean {
  return /^\s*\{/.test(text);
}

/** `undefined` for what is not JSON: YAML covers it, and gives the better message. JSON.parse is much faster. */
function parseJson(text: string): unknown {
  if (!looksLikeJson(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The subject of a policy whose text breaks off later on, as a policy without rules: what it selects stays isolated.
 * Only what is complete before the error counts: half a selector would select too much. Where its
 * `policyTypes` are not complete, it isolates for ingress, and for egress if the text has that word anywhere.
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
  if (!complete) return undefined;
  try {
    return plainValue(node, { document: document.contents, end });
  } catch {
    return undefined;
  }
}

function keyText(key: unknown): unknown {
  return isNode(key) && 'value' in key ? key.value : undefined;
}

function start(key: unknown): number {
  return (isNode(key) && key.range?.[0]) || 0;
}
