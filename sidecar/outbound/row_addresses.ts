/** A set of addresses, in which those of rows are looked up without making texts of them. */
import { parseAddress } from '../../policy/index.ts';
import { type EventRows, ROW_WORDS } from '../kernel/index.ts';

/** Addresses by their words. */
export class RowAddresses {
  readonly #v4 = new Set<number>();
  readonly #v6: (readonly number[])[] = [];

  /** @param addresses canonical; what is none is left out */
  constructor(addresses: Iterable<string>) {
    for (const address of addresses) {
      const words = parseAddress(address);
      const [first = 0] = words ?? [];
      if (words?.length === 1) this.#v4.add(first);
      else if (words !== undefined) this.#v6.push(words);
    }
  }

  /** @param field of the address, one of `ROW` */
  has(rows: EventRows, row: number, field: number): boolean {
    if (!rows.isIPv6(row)) return this.#v4.has(rows.word(row, field));
    const { words } = rows;
    const at = row * ROW_WORDS + field;
    for (const [first, second, third, last] of this.#v6)
      if (
        words[at] === first &&
        words[at + 1] === second &&
        words[at + 2] === third &&
        words[at + 3] === last
      )
        return true;
    return false;
  }
}
