/**
 * All addresses, cut where policies cut them. Blocks lie within each other or apart, so each stands for its own addresses without
 * those of the blocks within it: all of these are the same to every policy.
 */
import { firstFew } from '../../common/first_few.ts';
import { type Cidr, cidrContains, formatCidr, parseAddress, parseCidr } from '../../policy/index.ts';

/** A block, less the blocks within it. */
export interface Region {
  /** Place in `Networks.regions`. */
  readonly index: number;
  /** Canonical. */
  readonly cidr: string;
  readonly family: 4 | 6;
  /** The smallest block around it; absent for the whole of a family. */
  readonly parent?: Region;
}

/** The cut of all addresses. */
export interface Networks {
  /** Outer blocks before those within them. The whole of each family is among them. */
  readonly regions: readonly Region[];
  /** @param address canonical */
  regionOf(address: string): Region | undefined;
}

interface Node {
  readonly cidr: Cidr;
  readonly region: Region;
  /** By address. */
  readonly children: Node[];
}

const ALL_ADDRESSES = ['0.0.0.0/0', '::/0'] as const;

/** Cuts at these blocks, given in canonical text. */
export function createNetworks(blocks: Iterable<string>): Networks {
  const cidrs = new Map<string, Cidr>();
  for (const block of [...ALL_ADDRESSES, ...blocks]) {
    const cidr = parseCidr(block)?.cidr;
    if (cidr !== undefined) cidrs.set(formatCidr(cidr), cidr);
  }
  const sorted = [...cidrs].sort(([, a], [, b]) => compareWords(a, b) || a.prefix - b.prefix);
  const roots: Node[] = [];
  const regions: Region[] = [];
  const around: Node[] = [];
  for (const [text, cidr] of sorted) {
    while (around.length > 0 && !contains(around.at(-1)?.cidr, cidr)) around.pop();
    const parent = around.at(-1);
    const region: Region = {
      index: regions.length,
      cidr: text,
      family: cidr.words.length === 1 ? 4 : 6,
      ...(parent === undefined ? {} : { parent: parent.region }),
    };
    const node = { cidr, region, children: [] };
    (parent?.children ?? roots).push(node);
    around.push(node);
    regions.push(region);
  }
  const known = new Map<string, Region | undefined>();
  return {
    regions,
    regionOf(address) {
      if (!known.has(address)) known.set(address, find(roots, address));
      return known.get(address);
    },
  };
}

function find(roots: readonly Node[], address: string): Region | undefined {
  const words = parseAddress(address);
  if (words === undefined) return undefined;
  let found: Node | undefined;
  for (let nodes = roots; ; nodes = found.children) {
    const next = lastStartingBefore(nodes, { words, prefix: 0 });
    if (next === undefined || !cidrContains(next.cidr, words)) return found?.region;
    found = next;
  }
}

/** By halves: policies may list thousands of blocks beside each other. */
function lastStartingBefore(nodes: readonly Node[], address: Cidr): Node | undefined {
  let [low, high] = [0, nodes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const node = nodes[middle];
    if (node !== undefined && compareWords(node.cidr, address) <= 0) low = middle + 1;
    else high = middle;
  }
  return nodes[low - 1];
}

/** IPv4 first, then by address. */
function compareWords(a: Cidr, b: Cidr): number {
  if (a.words.length !== b.words.length) return a.words.length - b.words.length;
  for (const [at, word] of a.words.entries()) {
    const other = b.words[at] ?? 0;
    if (word !== other) return word - other;
  }
  return 0;
}

function contains(outer: Cidr | undefined, inner: Cidr): boolean {
  return outer !== undefined && outer.prefix <= inner.prefix && cidrContains(outer, inner.words);
}

/** Some regions as blocks with exceptions, as few as say it. */
export interface NetworkBlock {
  readonly cidr: string;
  readonly except: readonly string[];
}

/** What a set of regions comes to. @param all the cut that they are of */
export function blocksOf(regions: readonly Region[], all: readonly Region[]): readonly NetworkBlock[] {
  const chosen = new Set(regions);
  const topOf = (region: Region): Region => {
    let top = region;
    while (top.parent !== undefined && chosen.has(top.parent)) top = top.parent;
    return top;
  };
  const exceptions = new Map<Region, string[]>();
  for (const region of all) {
    const { parent, cidr } = region;
    if (parent === undefined || !chosen.has(parent) || chosen.has(region)) continue;
    const top = topOf(parent);
    const known = exceptions.get(top);
    if (known === undefined) exceptions.set(top, [cidr]);
    else known.push(cidr);
  }
  return all
    .filter((region) => chosen.has(region) && topOf(region) === region)
    .map((region) => ({ cidr: region.cidr, except: exceptions.get(region) ?? [] }));
}

/** Exceptions of a block that are printed; the rest is a number. */
const SHOWN_EXCEPTIONS = 3;

/** Blocks of one list that are printed, the largest first. Which networks outside get in is never to be missed, but a list ends. */
const SHOWN_BLOCKS = 30;

/** All addresses that no pod has. */
export const EXTERNAL = 'external';

/**
 * For people: `external` for all addresses, else `10.0.0.0/8 (except 10.1.0.0/16, 10.2.0.0/16), ::/0`.
 * @param isWide whether everything is named
 */
export function networkText(blocks: readonly NetworkBlock[], isWide = false): string {
  const whole = blocks.filter(({ except }) => except.length === 0).map(({ cidr }) => cidr);
  if (ALL_ADDRESSES.every((cidr) => whole.includes(cidr))) return EXTERNAL;
  const texts = blocks.toSorted(largerFirst).map(({ cidr, except }) => {
    const exceptions = firstFew(except, isWide ? except.length : SHOWN_EXCEPTIONS);
    return except.length === 0 ? cidr : `${cidr} (except ${exceptions})`;
  });
  const most = isWide ? texts.length : SHOWN_BLOCKS;
  return `${firstFew(texts, most)}${texts.length > most + 1 ? ' networks' : ''}`;
}

function largerFirst(a: NetworkBlock, b: NetworkBlock): number {
  return prefixOf(a) - prefixOf(b);
}

function prefixOf({ cidr }: NetworkBlock): number {
  return Number(cidr.slice(cidr.indexOf('/') + 1));
}

/** Blocks of several ends as one list: an exception of one that is a block itself is none. */
export function joinBlocks(blocks: readonly NetworkBlock[]): readonly NetworkBlock[] {
  const byCidr = new Map(blocks.map((block) => [block.cidr, block]));
  const within = new Set(blocks.flatMap(({ except }) => except.filter((cidr) => byCidr.has(cidr))));
  return blocks
    .filter(({ cidr }) => !within.has(cidr))
    .map(({ cidr, except }) => {
      const left: string[] = [];
      // Each block is the exception of one other at most.
      const open = except.toReversed();
      for (let next = open.pop(); next !== undefined; next = open.pop()) {
        const inner = byCidr.get(next);
        if (inner === undefined) left.push(next);
        else open.push(...inner.except.toReversed());
      }
      return { cidr, except: left };
    });
}
