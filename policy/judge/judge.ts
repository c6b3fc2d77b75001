/** Judges one pod's flows by its table. The hot path of the sidecar. */

import { isLoopback, parseAddress, socketAddress } from '../addresses/index.ts';
import { ownEntry } from '../key.ts';
import type { ContainerPort, Direction, Protocol } from '../model.ts';
import type { Peer, ResolvedPeer, ResolvedRule } from '../rules/index.ts';
import { nearestMiss } from '../rules/index.ts';
import type { DirectionTable, PeerIdentity, PodIdentity, Table } from '../table/index.ts';
import type { Verdict } from '../verdict.ts';
import { type DirectionIndex, directionIndex } from './direction_index.ts';
import { GroupIndex } from './group_index.ts';
import { NO_RULE, type PortIndex } from './port_index.ts';

/** Judges by one table, which must not change. Fails closed: what is not an address matches no peer test. */
export interface Judge {
  readonly table: Table;
  /** Hot path: no near miss, few allocations. `peer` is an address as node:net gives it (may be v4-mapped). */
  judge(direction: Direction, peer: string, protocol: Protocol, port: number): Verdict;
  /**
   * The same verdict with the near miss filled in. `owner` is who has the address where the table does not say:
   * `null`, no pod; absent, not known.
   */
  explain(
    direction: Direction,
    peer: string,
    protocol: Protocol,
    port: number,
    owner?: PeerIdentity | null,
  ): Verdict;
  /** The pod that owns an address, any spelling a socket may give: one in a group, or the subject itself. */
  identify(address: string): PodIdentity | undefined;
}

const NO_PORTS: readonly ContainerPort[] = [];

/** What a judge remembers of an address in the pod directory: who it is, and the rules of the groups it is in. */
interface KnownPeer {
  readonly identity: PodIdentity;
  readonly ingress: readonly PortIndex[];
  readonly egress: readonly PortIndex[];
}

/** One direction of the table, ready to be judged by. */
class DirectionRules {
  readonly table: DirectionTable;
  readonly index: DirectionIndex;
  readonly groups: GroupIndex;
  readonly #wholeTable: Table;
  #resolved: readonly ResolvedRule[] | undefined;

  constructor(direction: DirectionTable, table: Table) {
    this.table = direction;
    this.#wholeTable = table;
    this.index = directionIndex(direction);
    this.groups = new GroupIndex(this.index.groups, table);
  }

  /** The rules with their selectors, for explanations; made when first asked for. */
  get resolved(): readonly ResolvedRule[] {
    this.#resolved ??= this.table.rules.map((rule) => ({
      ...rule,
      peers: rule.peers.flatMap((peer): ResolvedPeer[] => {
        if (peer.kind === 'ipBlock') return [peer];
        const group = ownEntry(this.#wholeTable.groups, peer.group);
        return group === undefined ? [] : [{ kind: 'pods', ...group }];
      }),
    }));
    return this.#resolved;
  }
}

class TableJudge implements Judge {
  readonly table: Table;
  readonly #ingress: DirectionRules;
  readonly #egress: DirectionRules;
  readonly #selfIPs: ReadonlySet<string>;
  readonly #nodeIPs: ReadonlySet<string>;
  readonly #nodePorts: ReadonlySet<number> | undefined;
  /** Holds at most the addresses of the directory. */
  readonly #peers = new Map<string, KnownPeer>();

  constructor(table: Table, nodePorts: ReadonlySet<number> | undefined) {
    this.table = table;
    this.#nodePorts = nodePorts;
    this.#ingress = new DirectionRules(table.ingress, table);
    this.#egress = new DirectionRules(table.egress, table);
    this.#selfIPs = new Set(table.subject.ips);
    this.#nodeIPs = new Set(table.subject.nodeIPs);
  }

  judge(direction: Direction, peer: string, protocol: Protocol, port: number): Verdict {
    const { table, index } = direction === 'ingress' ? this.#ingress : this.#egress;
    const address = socketAddress(peer);
    // A pod cannot be kept from itself, whether it uses its own address or localhost.
    if (this.#selfIPs.has(address) || isLoopback(address)) return index.exempt.self;
    // Traffic between a pod and the node it runs on is always allowed, whatever policies say.
    if (this.#nodeIPs.has(address) && this.#takesFromNode(direction, protocol, port))
      return index.exempt['own-node'];
    // A pod that no policy selects for this direction is not isolated: everything is allowed.
    if (table.isolating.length === 0) return index.exempt['not-isolated'];
    // An isolated pod gets what its rules admit. Of several rules the first is named, so that reasons are stable.
    const first = this.#firstRule(direction, index, address, protocol, port);
    return first === NO_RULE ? index.denied : (index.allowed[first] ?? index.denied);
  }

  /** A pod may ask for less: then the rest of what comes under its node's address is anybody's, as with ipBlocks. */
  #takesFromNode(direction: Direction, protocol: Protocol, port: number): boolean {
    const ports = this.#nodePorts;
    return direction === 'egress' || ports === undefined || (protocol === 'TCP' && ports.has(port));
  }

  #firstRule(
    direction: Direction,
    index: DirectionIndex,
    address: string,
    protocol: Protocol,
    port: number,
  ): number {
    const known = this.#known(address);
    const ports = known?.identity.ports ?? NO_PORTS;
    let first = index.anyPeer.find(protocol, port, ports);
    if (known !== undefined) {
      for (const rules of known[direction]) first = Math.min(first, rules.find(protocol, port, ports));
    }
    if (index.blocks.isEmpty) return first;
    const words = parseAddress(address);
    if (words === undefined) return first;
    for (const rules of index.blocks.find(words)) first = Math.min(first, rules.find(protocol, port, ports));
    return first;
  }

  /** An address that the directory does not know is in no group: rights end with the pod. */
  #known(address: string): KnownPeer | undefined {
    const known = this.#peers.get(address);
    if (known !== undefined) return known;
    const identity = ownEntry(this.table.pods, address);
    if (identity === undefined) return undefined;
    const made: KnownPeer = {
      identity,
      ingress: this.#ingress.groups.find(address, identity),
      egress: this.#egress.groups.find(address, identity),
    };
    this.#peers.set(address, made);
    return made;
  }

  explain(
    direction: Direction,
    peer: string,
    protocol: Protocol,
    port: number,
    owner?: PeerIdentity | null,
  ): Verdict {
    const verdict = this.judge(direction, peer, protocol, port);
    if (verdict.verdict !== 'deny' || verdict.reason !== 'no-rule') return verdict;
    const { resolved } = direction === 'ingress' ? this.#ingress : this.#egress;
    const flow = { direction, peer: this.#peer(socketAddress(peer), owner), protocol, port };
    const nearMiss = nearestMiss(resolved, flow);
    return nearMiss === undefined ? verdict : { ...verdict, nearMiss };
  }

  #peer(address: string, owner: PeerIdentity | null | undefined): Peer {
    const words = parseAddress(address);
    const base = words === undefined ? { address } : { address, words };
    const known = ownEntry(this.table.pods, address);
    if (known !== undefined) {
      const namespaceLabels = ownEntry(this.table.namespaces, known.namespace) ?? {};
      return { ...base, pod: { ...known, namespaceLabels } };
    }
    if (owner === undefined) return { ...base, unidentified: true };
    return owner === null ? base : { ...base, pod: owner };
  }

  identify(address: string): PodIdentity | undefined {
    return ownEntry(this.table.pods, socketAddress(address));
  }
}

/**
 * Makes the judge of a table. Indexes of rules that the table shares with an earlier one are used again, so that
 * making a judge after a small delta is cheap.
 * @param nodePorts TCP ports that the own node always reaches; absent: everything, as the API says
 */
export function createJudge(table: Table, nodePorts?: ReadonlySet<number>): Judge {
  return new TableJudge(table, nodePorts);
}
