/** The plain value of a parsed YAML document, in time that grows with the document and is bounded. */
import { isAlias, isMap, isScalar, isSeq, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml';

/** A value that cannot be had; `offset` is where in the text. */
export class YamlValueError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Aliases multiply: a document may come to no more values than this. A thousand pods are some 400,000. */
export const MAX_VALUES = 1_000_000;

/**
 * A document of aliases is a few lines that come to a million values, and a file may hold thousands of it: beyond so many
 * values no more than this share of them may be copies. Source: gopkg.in/yaml.v2 `decode.go`, by which kubectl refuses it too.
 */
export const MAX_COPIED_SHARE = 0.99;
const VALUES_BEFORE_SHARE_COUNTS = 1_000;

const MERGE_KEY = '<<';

type Plain = Record<string, unknown>;

/**
 * Makes plain data of a node, as kubectl does: keys become texts, `<<` merges where it stands, aliases are copies.
 * @throws YamlValueError for a key that is there twice, a key that is no text, an alias without an anchor or within its
 *   own, a number that JSON does not have, and a value that is too large
 * @param part Of which document `node` is a part, and how far its anchors count.
 */
export function plainValue(
  node: unknown,
  part?: { readonly document: unknown; readonly end: number },
): unknown {
  const converter = new Converter();
  if (part !== undefined) converter.readAnchors(part.document, part.end);
  return converter.value(node);
}

class Converter {
  /** The node that each name stands for at this point of the document. */
  readonly #anchors = new Map<string, unknown>();
  /** Anchored nodes that are being converted. */
  readonly #open = new Set<unknown>();
  #values = 0;
  /** Those that are copies: they are made for an alias. */
  #copied = 0;
  #aliasDepth = 0;

  value(node: unknown): unknown {
    this.#count(node);
    if (isAlias(node)) {
      this.#aliasDepth += 1;
      const made = this.value(this.#anchored(node.source, offsetOf(node)));
      this.#aliasDepth -= 1;
      return made;
    }
    if (isScalar(node)) {
      this.#anchor(node);
      return scalarValue(node);
    }
    if (!isMap(node) && !isSeq(node)) return null;
    this.#anchor(node);
    this.#open.add(node);
    const made = isMap(node) ? this.#map(node) : this.#list(node);
    this.#open.delete(node);
    return made;
  }

  #count(node: unknown): void {
    this.#values += 1;
    if (this.#aliasDepth > 0) this.#copied += 1;
    if (this.#values > MAX_VALUES)
      throw new YamlValueError(
        `comes to more than ${MAX_VALUES} values, most likely by its aliases`,
        offsetOf(node),
      );
    if (this.#values > VALUES_BEFORE_SHARE_COUNTS && this.#copied > this.#values * MAX_COPIED_SHARE)
      throw new YamlValueError('is hardly more than aliases of aliases', offsetOf(node));
  }

  /** Takes in the anchors of a tree that begin before `end`. */
  readAnchors(node: unknown, end: number): void {
    if ((!isScalar(node) && !isMap(node) && !isSeq(node)) || offsetOf(node) >= end) return;
    this.#anchor(node);
    if (isSeq(node)) for (const item of node.items) this.readAnchors(item, end);
    if (isMap(node)) for (const { value } of node.items) this.readAnchors(value, end);
  }

  #anchor(node: Scalar | YAMLMap | YAMLSeq): void {
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
  }

  #anchored(name: string, offset: number): unknown {
    const node = this.#anchors.get(name);
    if (node === undefined) throw new YamlValueError(`no anchor &${name} stands before *${name}`, offset);
    if (this.#open.has(node))
      throw new YamlValueError(`*${name} stands within its own anchor &${name}`, offset);
    return node;
  }

  #list(node: YAMLSeq): unknown[] {
    return node.items.map((item) => this.value(item));
  }

  #map(node: YAMLMap): Plain {
    const made: Plain = {};
    const written = new Set<string>();
    for (const { key, value } of node.items) {
      if (isMergeKey(key)) {
        this.#merge(made, value);
        continue;
      }
      const text = this.#key(key);
      if (written.has(text))
        throw new YamlValueError(`key ${JSON.stringify(text)} is there twice`, offsetOf(key));
      written.add(text);
      put(made, text, this.value(value));
    }
    return made;
  }

  #key(node: unknown): string {
    const key = this.value(node);
    if (key === null || typeof key === 'object')
      throw new YamlValueError('a key has to be a text', offsetOf(node));
    return String(key);
  }

  /** `<<: *a`, or of several maps the first that has a key: it overrides what stands before it in the map. */
  #merge(into: Plain, node: unknown): void {
    const value = this.value(node);
    const maps = Array.isArray(value) ? value.toReversed() : [value];
    for (const map of maps) {
      if (typeof map !== 'object' || map === null || Array.isArray(map))
        throw new YamlValueError('<< wants a map, or a list of maps', offsetOf(node));
      for (const [key, merged] of Object.entries(map)) {
        // Merges within merges copy a key as often as they are deep.
        this.#count(node);
        put(into, key, merged);
      }
    }
  }
}

function scalarValue(node: Scalar): unknown {
  const { value } = node;
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new YamlValueError(`${node.source ?? ''} is no number of JSON`, offsetOf(node));
  return value;
}

/** A key of any name, `__proto__` too, is a field of its own. */
function put(map: Plain, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  else map[key] = value;
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.source === MERGE_KEY;
}

function offsetOf(node: unknown): number {
  return (isAlias(node) || isScalar(node) || isMap(node) || isSeq(node) ? node.range?.[0] : undefined) ?? 0;
}
