/** Rules by address block: one look-up per prefix length in use instead of one test per block. */

import type { AddressWords } from '../addresses/index.ts';
import { type Cidr, maskWords, parseCidr } from '../addresses/index.ts';
import type { TablePort } from '../rules/index.ts';
import { PortIndex } from './port_index.ts';

/** A block with its exceptions and the ports of the rules that have it as a peer. */
interface Block {
  readonly except: CidrSet;
  readonly ports: PortIndex;
}

/** The blocks of one family and prefix length, by masked address. */
interface PrefixBlocks {
  readonly family: number;
  readonly prefix: number;
  readonly blocks: Map<number | string, Block[]>;
}

function addressKey(words: AddressWords): number | string {
  return words.length === 1 ? (words[0] ?? 0) : words.join('.');
}

/** Many blocks of one family, asked whether any has an address: one look-up for each prefix length in use. */
class CidrSet {
  readonly #byPrefix = new Map<number, Set<number | string>>();
  readonly #family: number;

  constructor(blocks: readonly Cidr[], family: number) {
    this.#family = family;
    for (const { words, prefix } of blocks) {
      if (words.length !== family) continue;
      const known = this.#byPrefix.get(prefix);
      if (known === undefined) this.#byPrefix.set(prefix, new Set([addressKey(words)]));
      else known.add(addressKey(words));
    }
  }

  contains(words: AddressWords): boolean {
    if (words.length !== this.#family) return false;
    for (const [prefix, blocks] of this.#byPrefix) {
      if (blocks.has(addressKey(maskWords(words, prefix)))) return true;
    }
    return false;
  }
}

function parseBlock(text: string): Cidr | undefined {
  return parseCidr(text)?.cidr;
}

/** The address blocks of one direction's rules. */
export class BlockIndex {
  readonly #byPrefix: PrefixBlocks[] = [];
  readonly #byText = new Map<string, Block>();

  /** Adds one ipBlock peer of a rule; ordinals must come in ascending order. A text that is no CIDR admits nothing. */
  add(
    cidr: string,
    except: readonly string[],
    ordinal: number,
    ports: readonly TablePort[],
    names: boolean,
  ): void {
    const text = [cidr, ...except].join(' ');
    const known = this.#byText.get(text);
    if (known !== undefined) {
      known.ports.add(ordinal, ports, names);
      return;
    }
    const parsed = parseBlock(cidr);
    const exceptions = except.map(parseBlock);
    if (parsed === undefined || exceptions.includes(undefined)) return;
    const holes = exceptions.filter((one) => one !== undefined);
    const block: Block = { except: new CidrSet(holes, parsed.words.length), ports: new PortIndex() };
    block.ports.add(ordinal, ports, names);
    this.#byText.set(text, block);
    const { blocks } = this.#prefixBlocks(parsed);
    const key = addressKey(parsed.words);
    const bucket = blocks.get(key);
    if (bucket === undefined) blocks.set(key, [block]);
    else bucket.push(block);
  }

  #prefixBlocks({ words, prefix }: Cidr): PrefixBlocks {
    const known = this.#byPrefix.find((one) => one.family === words.length && one.prefix === prefix);
    if (known !== undefined) return known;
    const made: PrefixBlocks = { family: words.length, prefix, blocks: new Map() };
    this.#byPrefix.push(made);
    return made;
  }

  /** Whether there is no block at all, so that an address need not even be parsed. */
  get isEmpty(): boolean {
    return this.#byPrefix.length === 0;
  }

  /** The port indexes of the blocks an address is in. */
  find(words: AddressWords): PortIndex[] {
    const found: PortIndex[] = [];
    for (const { family, prefix, blocks } of this.#byPrefix) {
      if (family !== words.length) continue;
      const bucket = blocks.get(addressKey(maskWords(words, prefix)));
      if (bucket === undefined) continue;
      for (const block of bucket) {
        if (!block.except.contains(words)) found.push(block.ports);
      }
    }
    return found;
  }
}
