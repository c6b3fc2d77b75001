/** Rules by destination port. Rules go by their ordinal, their place in the direction's list; the first one wins. */

import type { ContainerPort, Protocol } from '../model.ts';
import type { TablePort } from '../rules/index.ts';

/** The ordinal of "no rule". */
export const NO_RULE = Number.POSITIVE_INFINITY;

/** The rules of one protocol. */
interface ProtocolPorts {
  /** The first rule that takes any port. */
  any: number;
  readonly exact: Map<number, number>;
  /** In the order of rules. */
  readonly ranges: { readonly from: number; readonly to: number; readonly ordinal: number }[];
  /** Named ports that resolve on the peer. */
  readonly names: Map<string, number>;
}

/** For rules that share one peer test: which is the first to admit a port? */
export class PortIndex {
  /** The first rule that does not restrict ports. */
  #unrestricted = NO_RULE;
  readonly #protocols = new Map<Protocol, ProtocolPorts>();

  /** Adds a rule; ordinals must come in ascending order. `resolveNames`: names resolve on the peer (egress). */
  add(ordinal: number, ports: readonly TablePort[], resolveNames: boolean): void {
    if (ports.length === 0) this.#unrestricted = Math.min(this.#unrestricted, ordinal);
    for (const test of ports) this.#addTest(ordinal, test, resolveNames);
  }

  #addTest(ordinal: number, { protocol, from, to, name }: TablePort, resolveNames: boolean): void {
    const known = this.#protocols.get(protocol);
    const ports: ProtocolPorts = known ?? { any: NO_RULE, exact: new Map(), ranges: [], names: new Map() };
    if (known === undefined) this.#protocols.set(protocol, ports);
    if (from === undefined) {
      if (name === undefined) ports.any = Math.min(ports.any, ordinal);
      else if (resolveNames && !ports.names.has(name)) ports.names.set(name, ordinal);
    } else if (to === undefined || to === from) {
      if (!ports.exact.has(from)) ports.exact.set(from, ordinal);
    } else {
      ports.ranges.push({ from, to, ordinal });
    }
  }

  /** Whether some rule admits the port, or admits it of peers that have the right named port. */
  mayAdmit(protocol: Protocol, port: number): boolean {
    const hasNames = (this.#protocols.get(protocol)?.names.size ?? 0) > 0;
    return hasNames || this.find(protocol, port, []) !== NO_RULE;
  }

  /** The ordinal of the first rule that admits the port, or NO_RULE. `peerPorts` resolve named ports. */
  find(protocol: Protocol, port: number, peerPorts: readonly ContainerPort[]): number {
    const ports = this.#protocols.get(protocol);
    if (ports === undefined) return this.#unrestricted;
    let first = Math.min(this.#unrestricted, ports.any, ports.exact.get(port) ?? NO_RULE);
    for (const range of ports.ranges) {
      if (range.ordinal >= first) break;
      if (port >= range.from && port <= range.to) first = range.ordinal;
    }
    if (ports.names.size === 0) return first;
    for (const declared of peerPorts) {
      if (declared.port !== port || declared.protocol !== protocol || declared.name === undefined) continue;
      first = Math.min(first, ports.names.get(declared.name) ?? NO_RULE);
    }
    return first;
  }
}
