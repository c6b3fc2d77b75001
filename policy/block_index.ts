/** Rules by address block: one look-up per prefix length in use instead of one test per block. */

import type { AddressWords } from './address.ts';
import { type Cidr, cidrContains, maskWords, parseCidr } from './cidr.ts';
import { PortIndex } from './port_index.ts';
import type { TablePort } from './table.ts';

/** A block with its exceptions and the ports of the rules that have it as a peer. */
interface Block {
  readonly except: readonly Cidr[];
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
    const block: Block = { except: exceptions.filter((one) => one !== undefined), ports: new PortIndex() };
    block.ports.add(ordinal, ports, names);
    this.#byText.set(text, block);
    const { blocks } = this.#prefixBlocks(parsed);
    const key = addressKey(parsed.words);
    blocks.set(key, [...(blocks.get(key) ?? []), block]);
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
        if (!block.except.some((exception) => cidrContains(exception, words))) found.push(block.ports);
      }
    }
    return found;
  }
}
