/** Whether packets of the own node ever come from the link-layer address that is bound to its next hop. */
import { askNode, type BoundHop, boundHops, isThrough } from './hops.ts';
import type { NodeAddress } from './plan.ts';

/** Readings with frames from elsewhere, and none from the address that is bound, after which the binding is given up. */
const UNCONFIRMED_MAX = 5;

/** Counts readings, hop by hop. */
export class Confirmations {
  /** Readings without a packet from the bound address, by next hop. */
  readonly #unconfirmed = new Map<string, number>();

  /**
   * Takes note of a reading with frames from elsewhere. A network may send the node's packets from another link-layer address
   * than the one that its next hop resolves to. There nothing ever comes from the address that is bound, not even an answer to
   * what the sidecar asks the node.
   * @param proper packets so far by address of the node, from the bound link-layer address
   * @returns the addresses; those that have been without confirmation for too long are known by their address alone
   */
  followed(nodes: readonly NodeAddress[], proper: ReadonlyMap<string, number>): readonly NodeAddress[] {
    return boundHops(nodes)
      .filter((bound) => this.#isGivenUp(nodes, bound, proper))
      .reduce(withoutLink, nodes);
  }

  #isGivenUp(nodes: readonly NodeAddress[], bound: BoundHop, proper: ReadonlyMap<string, number>): boolean {
    const through = nodes.filter((node) => isThrough(node, bound));
    const key = `${bound.hop.address} ${bound.hop.device}`;
    if (through.some(({ address }) => (proper.get(address) ?? 0) > 0)) {
      this.#unconfirmed.set(key, Number.NEGATIVE_INFINITY); // it has a confirmation, and keeps it
      return false;
    }
    const times = (this.#unconfirmed.get(key) ?? 0) + 1;
    this.#unconfirmed.set(key, times);
    for (const { address } of through) askNode(address, bound.hop.device);
    return times > UNCONFIRMED_MAX;
  }
}

function withoutLink(nodes: readonly NodeAddress[], bound: BoundHop): readonly NodeAddress[] {
  const why = `its frames do not come from ${bound.link}, to which ${bound.hop.address} resolves`;
  return nodes.map((node) =>
    isThrough(node, bound) ? { ...node, binding: { kind: 'address-alone', why } } : node,
  );
}
