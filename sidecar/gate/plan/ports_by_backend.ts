/** The virtual ports that lead to an address: those that are planned again when its access is another one. */

import type { VirtualPort } from '../../../policy/index.ts';

const NONE: readonly string[] = [];

/** Keys of virtual ports, by the addresses of their backends. */
export class PortsByBackend {
  /** A key stands there once for each of its backends with the address. */
  readonly #keys = new Map<string, string[]>();

  /** Keys of the virtual ports that have a backend with this address; some of them more than once. */
  of(address: string): readonly string[] {
    return this.#keys.get(address) ?? NONE;
  }

  add(key: string, { backends }: VirtualPort): void {
    for (const { address } of backends) {
      const known = this.#keys.get(address);
      if (known === undefined) this.#keys.set(address, [key]);
      else known.push(key);
    }
  }

  /** Takes out what was added. */
  remove(key: string, { backends }: VirtualPort): void {
    for (const { address } of backends) {
      const known = this.#keys.get(address);
      const place = known?.indexOf(key) ?? -1;
      if (known === undefined || place < 0) continue;
      const last = known.pop();
      if (known.length === 0) this.#keys.delete(address);
      else if (last !== undefined && place < known.length) known[place] = last;
    }
  }
}
