/** Address blocks of rules as disjoint ranges, each with the rules that admit it. */
import { type AddressWords, formatAddress, parseAddress, parseCidr } from '../../policy/index.ts';

/** IP version. */
export type Family = 4 | 6;

/** A block of one rule. */
export interface RuleBlock {
  readonly cidr: string;
  readonly except: readonly string[];
  /** Place of the rule in the table. */
  readonly rule: number;
}

/** Addresses that the same rules admit. `from` and `to` are inclusive and canonical. */
export interface RuledRange {
  readonly from: string;
  readonly to: string;
  /** Ascending. */
  readonly rules: readonly number[];
}

interface Span {
  readonly from: bigint;
  /** Inclusive. */
  readonly to: bigint;
}

const WORD_BITS = 32n;
const BITS: Readonly<Record<Family, bigint>> = { 4: 32n, 6: 128n };

/** The ranges of one family, in ascending order, looked up by address. */
export class RuledRanges {
  readonly list: readonly RuledRange[];
  readonly #spans: readonly Span[];

  /** Blocks of the other family, and texts that are no CIDR, admit nothing. */
  constructor(family: Family, blocks: readonly RuleBlock[]) {
    const pieces = blocks.flatMap((block) =>
      spansOf(family, block).map((span) => ({ ...span, rule: block.rule })),
    );
    const ruled = disjoint(pieces);
    this.#spans = ruled;
    this.list = ruled.map(({ from, to, rules }) => ({
      from: text(from, family),
      to: text(to, family),
      rules,
    }));
  }

  /** The rules whose blocks an address is in; ascending. */
  find(address: string): readonly number[] {
    if (this.#spans.length === 0) return [];
    const words = parseAddress(address);
    if (words === undefined) return [];
    const value = number(words);
    let low = 0;
    let high = this.#spans.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const span = this.#spans[middle];
      if (span === undefined) break;
      if (value < span.from) high = middle - 1;
      else if (value > span.to) low = middle + 1;
      else return this.list[middle]?.rules ?? [];
    }
    return [];
  }
}

/** A block without its exceptions. */
function spansOf(family: Family, block: RuleBlock): readonly Span[] {
  const whole = spanOf(family, block.cidr);
  if (whole === undefined) return [];
  let left = [whole];
  for (const except of block.except) {
    const hole = spanOf(family, except);
    if (hole !== undefined) left = left.flatMap((span) => without(span, hole));
  }
  return left;
}

function spanOf(family: Family, cidr: string): Span | undefined {
  const parsed = parseCidr(cidr)?.cidr;
  if (parsed === undefined || (parsed.words.length === 1) !== (family === 4)) return undefined;
  const from = number(parsed.words);
  return { from, to: from + (1n << (BITS[family] - BigInt(parsed.prefix))) - 1n };
}

function without(span: Span, hole: Span): readonly Span[] {
  if (hole.to < span.from || hole.from > span.to) return [span];
  const pieces: Span[] = [];
  if (span.from < hole.from) pieces.push({ from: span.from, to: hole.from - 1n });
  if (hole.to < span.to) pieces.push({ from: hole.to + 1n, to: span.to });
  return pieces;
}

/** Cuts overlapping spans into disjoint ones; neighbours with the same rules become one. */
function disjoint(pieces: readonly (Span & { rule: number })[]): (Span & { rules: readonly number[] })[] {
  const edges = new Map<bigint, { opens: number[]; closes: number[] }>();
  const edge = (at: bigint) => {
    const known = edges.get(at) ?? { opens: [], closes: [] };
    edges.set(at, known);
    return known;
  };
  for (const { from, to, rule } of pieces) {
    edge(from).opens.push(rule);
    edge(to + 1n).closes.push(rule);
  }
  const open = new Map<number, number>(); // rule to how many of its spans are open here
  const ruled: { from: bigint; to: bigint; rules: readonly number[] }[] = [];
  let start = 0n;
  for (const [at, { opens, closes }] of [...edges].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (open.size > 0)
      append(ruled, { from: start, to: at - 1n, rules: [...open.keys()].sort((a, b) => a - b) });
    for (const rule of opens) open.set(rule, (open.get(rule) ?? 0) + 1);
    for (const rule of closes) {
      const left = (open.get(rule) ?? 0) - 1;
      if (left > 0) open.set(rule, left);
      else open.delete(rule);
    }
    start = at;
  }
  return ruled;
}

function append(
  ruled: { from: bigint; to: bigint; rules: readonly number[] }[],
  next: { from: bigint; to: bigint; rules: readonly number[] },
): void {
  const last = ruled.at(-1);
  const joins = last !== undefined && last.to + 1n === next.from && last.rules.join() === next.rules.join();
  if (joins) last.to = next.to;
  else ruled.push(next);
}

function number(words: AddressWords): bigint {
  return words.reduce((value, word) => (value << WORD_BITS) | BigInt(word), 0n);
}

function text(value: bigint, family: Family): string {
  const words: number[] = [];
  for (let shift = BITS[family] - WORD_BITS; shift >= 0n; shift -= WORD_BITS) {
    words.push(Number((value >> shift) & 0xffffffffn));
  }
  return formatAddress(words);
}
