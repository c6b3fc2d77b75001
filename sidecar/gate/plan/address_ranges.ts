/** Address blocks of rules as disjoint ranges, each with the set of rules that admit it. */
import type { Family } from '../../../common/net.ts';
import { type AddressWords, formatAddress, parseAddress, parseCidr } from '../../../policy/index.ts';
import type { RuleSet, RuleSets } from './rule_sets.ts';
import { Pace, type Steps, sorted } from './steps.ts';

/** IP version. */
export type { Family };

/** A block of one rule. */
export interface RuleBlock {
  readonly cidr: string;
  readonly except: readonly string[];
  /** Place of the rule in the table. */
  readonly rule: number;
}

/** Addresses that the same rules admit. */
export interface RuledRange {
  /** `from-to`, both inclusive and canonical; one address where they are the same. */
  readonly text: string;
  /** With the rules that admit everybody. */
  readonly rules: RuleSet;
}

/** An address as a number: of IPv4 a `number`, which is cheap to compare; of IPv6 a `bigint`, which it needs. */
type Position = number | bigint;

interface Span {
  readonly from: Position;
  /** Inclusive. */
  readonly to: Position;
}

interface RuledSpan extends Span {
  readonly rules: RuleSet;
}

/** Where the rules of a class gain a block (1) or lose one (-1). */
interface Edge {
  readonly at: Position;
  readonly ruleClass: number;
  readonly change: 1 | -1;
}

const WORD_BITS = 32n;
const BITS: Readonly<Record<Family, number>> = { 4: 32, 6: 128 };

/** The ranges of one family, in ascending order, looked up by address. */
export class RuledRanges {
  readonly #family: Family;
  readonly #spans: readonly RuledSpan[];
  readonly #others: RuleSet;

  private constructor(family: Family, spans: readonly RuledSpan[], others: RuleSet) {
    this.#family = family;
    this.#spans = spans;
    this.#others = others;
  }

  /**
   * Costs n log n for n blocks and exceptions. Blocks of the other family, and texts that are no CIDR, admit nothing.
   * @param everybody the rules without peers; addresses in no block have these alone
   */
  static *of(
    family: Family,
    blocks: readonly RuleBlock[],
    sets: RuleSets,
    everybody: readonly number[],
  ): Steps<RuledRanges> {
    const edges: Edge[] = [];
    const pace = new Pace();
    for (const block of blocks) {
      if (pace.isDue(1 + block.except.length)) yield;
      for (const edge of edgesOf(family, block, sets.classOf(block.rule))) edges.push(edge);
    }
    const inOrder = yield* sorted(edges, (a, b) => compare(a.at, b.at));
    return new RuledRanges(family, yield* disjoint(inOrder, sets, everybody), sets.of(everybody));
  }

  /** The ranges of blocks, with the rules of each. */
  *list(): Generator<RuledRange, void, void> {
    for (const { from, to, rules } of this.#spans) {
      const first = text(from, this.#family);
      yield { text: from === to ? first : `${first}-${text(to, this.#family)}`, rules };
    }
  }

  /** The rules that admit an address by what it is. */
  find(address: string): RuleSet {
    if (this.#spans.length === 0) return this.#others;
    const words = parseAddress(address);
    if (words === undefined) return this.#others;
    const value = position(words);
    let low = 0;
    let high = this.#spans.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const span = this.#spans[middle];
      if (span === undefined) break;
      if (value < span.from) high = middle - 1;
      else if (value > span.to) low = middle + 1;
      else return span.rules;
    }
    return this.#others;
  }
}

/** Where a block begins and ends, and where its exceptions do. */
function edgesOf(family: Family, { cidr, except }: RuleBlock, ruleClass: number): readonly Edge[] {
  const whole = spanOf(family, cidr);
  if (whole === undefined) return [];
  const edges: Edge[] = [
    { at: whole.from, ruleClass, change: 1 },
    { at: after(whole.to), ruleClass, change: -1 },
  ];
  const holes = except.flatMap((one) => spanOf(family, one) ?? []);
  for (const { from, to } of joined(holes, whole)) {
    edges.push({ at: from, ruleClass, change: -1 }, { at: after(to), ruleClass, change: 1 });
  }
  return edges;
}

function spanOf(family: Family, cidr: string): Span | undefined {
  const parsed = parseCidr(cidr)?.cidr;
  if (parsed === undefined || (parsed.words.length === 1) !== (family === 4)) return undefined;
  const from = position(parsed.words);
  const others = BITS[family] - parsed.prefix;
  const to = typeof from === 'bigint' ? from + (1n << BigInt(others)) - 1n : from + 2 ** others - 1;
  return { from, to };
}

/** Spans that may lie in each other as disjoint ones, and only their part in `whole`. */
function joined(spans: readonly Span[], whole: Span): readonly Span[] {
  const found: { from: Position; to: Position }[] = [];
  for (const span of [...spans].sort((a, b) => compare(a.from, b.from))) {
    const from = span.from < whole.from ? whole.from : span.from;
    const to = span.to > whole.to ? whole.to : span.to;
    const last = found.at(-1);
    if (from > to) continue;
    if (last === undefined || from > last.to) found.push({ from, to });
    else if (to > last.to) last.to = to;
  }
  return found;
}

/**
 * The ranges between edges; neighbours with the same rules become one, and what only `everybody` has is left out.
 * @param sorted by place
 */
function* disjoint(
  sorted: readonly Edge[],
  sets: RuleSets,
  everybody: readonly number[],
): Steps<readonly RuledSpan[]> {
  /** How many blocks of each class are open here. */
  const open = new Uint32Array(sets.classes);
  for (const rule of everybody) open[sets.classOf(rule)] = 1;
  const changes = new Map<number, number>();
  const ruled: { from: Position; to: Position; rules: RuleSet }[] = [];
  const others = sets.of(everybody);
  let rules = others;
  const pace = new Pace();
  for (let next = 0; next < sorted.length; ) {
    if (pace.isDue()) yield;
    const at = sorted[next]?.at ?? 0;
    changes.clear();
    for (let edge = sorted[next]; edge?.at === at; next += 1, edge = sorted[next]) {
      changes.set(edge.ruleClass, (changes.get(edge.ruleClass) ?? 0) + edge.change);
    }
    for (const [ruleClass, change] of changes) {
      const was = open[ruleClass] ?? 0;
      open[ruleClass] = was + change;
      if (was === 0 || was + change === 0) rules = sets.changed(rules, ruleClass, was + change > 0);
    }
    const end = sorted[next]?.at;
    if (end === undefined || rules === others) continue;
    const last = ruled.at(-1);
    if (last?.rules === rules && after(last.to) === at) last.to = before(end);
    else ruled.push({ from: at, to: before(end), rules });
  }
  return ruled;
}

function compare(a: Position, b: Position): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function after(position: Position): Position {
  return typeof position === 'bigint' ? position + 1n : position + 1;
}

function before(position: Position): Position {
  return typeof position === 'bigint' ? position - 1n : position - 1;
}

function position(words: AddressWords): Position {
  const [first = 0] = words;
  if (words.length === 1) return first;
  return words.reduce((value, word) => (value << WORD_BITS) | BigInt(word), 0n);
}

function text(value: Position, family: Family): string {
  if (typeof value === 'number') return formatAddress([value]);
  const words: number[] = [];
  for (let shift = BigInt(BITS[family]) - WORD_BITS; shift >= 0n; shift -= WORD_BITS) {
    words.push(Number((value >> shift) & 0xffffffffn));
  }
  return formatAddress(words);
}
