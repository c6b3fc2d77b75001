/**
 * Sets of rules, each kept once, and the ports that each set admits. Addresses share few sets, and sets that differ in one
 * rule share most of their parts: one more rule, or one less, costs the logarithm of the number of rules.
 */
import { PROTOCOLS } from '../../../common/net.ts';
import { Recent } from '../../../common/recent.ts';
import type { ContainerPort, TablePort } from '../../../policy/index.ts';
import { type Access, accessId, accessOf } from './access.ts';
import { accessOfRanges, mergedRanges, NO_RANGES, packed } from './packed_ranges.ts';

/** A set of rules: equal sets are equal numbers, of one `RuleSets`. */
export type RuleSet = number;

/** An access with its id. */
export interface NamedAccess {
  readonly id: string;
  readonly access: Access;
}

/** How much one direction of a table may take. */
export interface RuleSetBounds {
  /** Parts of sets; 60 bytes each. */
  readonly parts: number;
  /** Port ranges of all parts together; 4 bytes each, and the time to merge them. */
  readonly ranges: number;
}

/**
 * Far beyond what people write: 2,000 rules of 100 ports each stay below both. Only rules that give
 * nearly every address a set of its own, with many ports each, go beyond: in the kernel they would take the square of the policy.
 */
export const RULE_SET_BOUNDS: RuleSetBounds = { parts: 1 << 18, ranges: 1 << 20 };

/** Accesses with named ports that are remembered; beyond it the oldest goes. */
const NAMED_MAX = 16_384;
/** Unions that are remembered; beyond it the oldest goes. */
const UNIONS_MAX = 65_536;
/** Above any number of parts, so that two of them make one exact number. */
const PAIR = 2 ** 26;

const EMPTY: RuleSet = 0;

/** What a part admits. */
interface Admitted {
  /** By the order of `PROTOCOLS`: sorted, disjoint ranges, the first port in the upper half of each number. */
  readonly ports: readonly Uint32Array[];
  /** Tests by name, as texts, sorted, each once; they resolve at the peer. */
  readonly names: readonly TablePort[];
}

const NOTHING: Admitted = { ports: PROTOCOLS.map(() => NO_RANGES), names: [] };

/**
 * The sets of one direction's rules. Rules with the same ports are one: a set is about what is admitted. Beyond the bounds
 * a set loses rules or admits nothing, which fails closed, and `isOverBounds` says so.
 */
export class RuleSets {
  readonly empty: RuleSet = EMPTY;
  readonly #bounds: RuleSetBounds;
  /** By rule. */
  readonly #classes: readonly number[];
  readonly #classPorts: readonly (readonly TablePort[])[];
  /** The highest bit of a class. */
  readonly #topBit: number;
  /** Halves of parts. Parts 1 to n are the classes; 0 is the empty one. */
  readonly #left: number[] = [];
  readonly #right: number[] = [];
  readonly #byHalves = new Map<number, number>();
  readonly #unions = new Recent<number, RuleSet>(UNIONS_MAX);
  readonly #admitted = new Map<RuleSet, Admitted>();
  #ranges = 0;
  #isOver = false;
  readonly #named = new Map<RuleSet, NamedAccess>();
  readonly #namedByPorts = new Recent<string, NamedAccess>(NAMED_MAX);

  /** @param ports of each rule; an empty list is no restriction */
  constructor(ports: readonly (readonly TablePort[])[], bounds: RuleSetBounds = RULE_SET_BOUNDS) {
    this.#bounds = bounds;
    const byText = new Map<string, number>();
    const classPorts: (readonly TablePort[])[] = [];
    this.#classes = ports.map((list) => {
      const text = portsText(list);
      const known = byText.get(text);
      if (known !== undefined) return known;
      byText.set(text, classPorts.length);
      return classPorts.push(list) - 1;
    });
    this.#classPorts = classPorts;
    this.#topBit = 31 - Math.clz32(Math.max(classPorts.length - 1, 0));
    for (let part = 0; part <= classPorts.length; part += 1) this.#left[part] = this.#right[part] = EMPTY;
  }

  /** Whether something was more than the bounds allow: what it was about admits nothing. */
  get isOverBounds(): boolean {
    return this.#isOver;
  }

  /** Which rules are the same to this: they have the same number. */
  classOf(rule: number): number {
    return this.#classes[rule] ?? -1;
  }

  /** How many numbers there are. */
  get classes(): number {
    return this.#classPorts.length;
  }

  /** The set with the rules of a class, or without them. */
  changed(set: RuleSet, ruleClass: number, isIn: boolean): RuleSet {
    return this.#changed(set, ruleClass, isIn, this.#topBit);
  }

  /** The set of some rules. */
  of(rules: Iterable<number>): RuleSet {
    let set = EMPTY;
    for (const rule of rules) set = this.changed(set, this.classOf(rule), true);
    return set;
  }

  /** The rules of both. */
  union(a: RuleSet, b: RuleSet): RuleSet {
    return this.#union(a, b, this.#topBit);
  }

  /** What a set admits. @param declared the ports that names in the rules stand for */
  access(set: RuleSet, declared: readonly ContainerPort[] = []): NamedAccess {
    const { ports, names } = this.#admits(set);
    if (declared.length > 0 && names.length > 0) return this.#byName(set, names, declared);
    const known = this.#named.get(set);
    if (known !== undefined) return known;
    const made = named(accessOfRanges(ports));
    this.#named.set(set, made);
    return made;
  }

  #byName(set: RuleSet, names: readonly TablePort[], declared: readonly ContainerPort[]): NamedAccess {
    const key = `${set} ${declared.map(({ name, protocol, port }) => `${name}=${protocol}/${port}`).join()}`;
    const known = this.#namedByPorts.get(key);
    if (known !== undefined) return known;
    const numbers = this.access(set).access;
    const tests = [...numbers].flatMap(([protocol, ranges]) =>
      ranges.map(({ from, to }): TablePort => ({ protocol, from, to })),
    );
    const asked = new Set(names.map(({ protocol, name }) => `${protocol} ${name}`));
    const opened = declared.flatMap(({ name, protocol, port }): TablePort[] =>
      asked.has(`${protocol} ${name}`) ? [{ protocol, from: port, to: port }] : [],
    );
    const all = [...tests, ...opened];
    return this.#namedByPorts.keep(key, named(accessOf(all.length === 0 ? [] : [all])));
  }

  #changed(part: number, ruleClass: number, isIn: boolean, bit: number): number {
    if (bit < 0) return isIn ? ruleClass + 1 : EMPTY;
    const [left, right] = [this.#left[part] ?? EMPTY, this.#right[part] ?? EMPTY];
    return (ruleClass >>> bit) & 1
      ? this.#part(left, this.#changed(right, ruleClass, isIn, bit - 1))
      : this.#part(this.#changed(left, ruleClass, isIn, bit - 1), right);
  }

  #union(a: number, b: number, bit: number): number {
    if (a === b || b === EMPTY) return a;
    if (a === EMPTY) return b;
    const key = a * PAIR + b;
    const known = this.#unions.get(key);
    if (known !== undefined) return known;
    const half = (halves: readonly number[]): number =>
      this.#union(halves[a] ?? EMPTY, halves[b] ?? EMPTY, bit - 1);
    return this.#unions.keep(key, this.#part(half(this.#left), half(this.#right)));
  }

  /** The part with these halves. Beyond the bound it is the empty one. */
  #part(left: number, right: number): number {
    if (left === EMPTY && right === EMPTY) return EMPTY;
    const key = left * PAIR + right;
    const known = this.#byHalves.get(key);
    if (known !== undefined) return known;
    if (this.#left.length >= this.#bounds.parts) {
      this.#isOver = true;
      return EMPTY;
    }
    const made = this.#left.push(left) - 1;
    this.#right.push(right);
    this.#byHalves.set(key, made);
    return made;
  }

  #admits(part: number): Admitted {
    if (part === EMPTY) return NOTHING;
    const known = this.#admitted.get(part);
    if (known !== undefined) return known;
    const made = this.#merged(part);
    this.#admitted.set(part, made);
    return made;
  }

  #merged(part: number): Admitted {
    const ports = this.#classPorts[part - 1];
    if (ports !== undefined) {
      const access = accessOf([ports]);
      const named = ports.filter(isNamed).map(({ protocol, name = '' }) => ({ protocol, name }));
      return this.#counted({ ports: PROTOCOLS.map((one) => packed(access.get(one))), names: named }, NOTHING);
    }
    const left = this.#admits(this.#left[part] ?? EMPTY);
    const right = this.#admits(this.#right[part] ?? EMPTY);
    return this.#counted(
      {
        ports: PROTOCOLS.map((_, i) => mergedRanges(left.ports[i] ?? NO_RANGES, right.ports[i] ?? NO_RANGES)),
        names: mergedNames(left.names, right.names),
      },
      left,
    );
  }

  /** @param shared ranges that are there already */
  #counted(made: Admitted, shared: Admitted): Admitted {
    for (const [i, ranges] of made.ports.entries()) {
      if (ranges !== shared.ports[i]) this.#ranges += ranges.length;
    }
    if (made.names !== shared.names) this.#ranges += made.names.length;
    if (this.#ranges <= this.#bounds.ranges) return made;
    this.#isOver = true;
    return NOTHING;
  }
}

function named(access: Access): NamedAccess {
  return { id: accessId(access), access };
}

/** The same text for the same tests; their order does not matter. */
function portsText(ports: readonly TablePort[]): string {
  const tests = ports.map(({ protocol, from, to, name }) =>
    from === undefined ? `${protocol} ${name ?? '*'}` : `${protocol} ${from}-${to ?? from}`,
  );
  return tests.sort().join();
}

function isNamed({ from, name }: TablePort): boolean {
  return from === undefined && name !== undefined;
}

function mergedNames(a: readonly TablePort[], b: readonly TablePort[]): readonly TablePort[] {
  if (b.length === 0) return a;
  if (a.length === 0) return b;
  const byText = new Map([...a, ...b].map((test) => [`${test.protocol} ${test.name}`, test]));
  return byText.size === a.length ? a : [...byText.values()];
}
