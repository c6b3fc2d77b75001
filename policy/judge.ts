/** Judges one pod's flows by its table. The hot path of the sidecar. */

import { isLoopback, parseAddress, socketAddress } from './address.ts';
import { type DirectionIndex, directionIndex } from './direction_index.ts';
import { ownEntry } from './key.ts';
import type { ContainerPort, Direction, Protocol } from './model.ts';
import { nearestMiss } from './near_miss.ts';
import type { Peer, ResolvedPeer } from './peer.ts';
import { NO_RULE, type PortIndex } from './port_index.ts';
import type { ResolvedRule } from './rules.ts';
import type { DirectionTable, PodIdentity, Table } from './table.ts';
import type { Verdict } from './verdict.ts';

/** Judges by one table, which must not change. Fails closed: what is not an address matches no peer test. */
export interface Judge {
  readonly table: Table;
  /** Hot path: no near miss, few allocations. `peer` is an address as node:net gives it (may be v4-mapped). */
  judge(direction: Direction, peer: string, protocol: Protocol, port: number): Verdict;
  /** The same verdict with the near miss filled in. */
  explain(direction: Direction, peer: string, protocol: Protocol, port: number): Verdict;
  /** The pod that owns an address, any spelling a socket may give. */
  identify(address: string): PodIdentity | undefined;
}

const NO_PORTS: readonly ContainerPort[] = [];

/** Members as sets outlive a judge: most deltas leave most groups as they are. Keyed by immutable lists. */
const memberSets = new WeakMap<readonly string[], ReadonlySet<string>>();

function memberSet(members: readonly string[]): ReadonlySet<string> {
  const known = memberSets.get(members);
  if (known !== undefined) return known;
  const made = new Set(members);
  memberSets.set(members, made);
  return made;
}

/** What a judge remembers of an address in the pod directory: who it is, and the rules of the groups it is in. */
interface KnownPeer {
  readonly identity: PodIdentity;
  readonly ingress: readonly PortIndex[];
  readonly egress: readonly PortIndex[];
}

class TableJudge implements Judge {
  readonly table: Table;
  readonly #ingress: DirectionIndex;
  readonly #egress: DirectionIndex;
  readonly #selfIPs: ReadonlySet<string>;
  readonly #nodeIPs: ReadonlySet<string>;
  /** Holds at most the addresses of the directory. */
  readonly #peers = new Map<string, KnownPeer>();

  constructor(table: Table) {
    this.table = table;
    this.#ingress = directionIndex(table.ingress);
    this.#egress = directionIndex(table.egress);
    this.#selfIPs = new Set(table.subject.ips);
    this.#nodeIPs = new Set(table.subject.nodeIPs);
  }

  judge(direction: Direction, peer: string, protocol: Protocol, port: number): Verdict {
    const index = direction === 'ingress' ? this.#ingress : this.#egress;
    const address = socketAddress(peer);
    // A pod cannot be kept from itself, whether it uses its own address or localhost.
    if (this.#selfIPs.has(address) || isLoopback(address)) return index.exempt.self;
    // Traffic between a pod and the node it runs on is always allowed, whatever policies say.
    if (this.#nodeIPs.has(address)) return index.exempt['own-node'];
    // A pod that no policy selects for this direction is not isolated: everything is allowed.
    if (this.table[direction].isolating.length === 0) return index.exempt['not-isolated'];

    const known = this.#known(address);
    const ports = known?.identity.ports ?? NO_PORTS;
    let first = index.anyPeer.find(protocol, port, ports);
    if (known !== undefined) {
      for (const rules of known[direction]) first = Math.min(first, rules.find(protocol, port, ports));
    }
    if (!index.blocks.isEmpty) {
      const words = parseAddress(address);
      if (words !== undefined) {
        for (const rules of index.blocks.find(words))
          first = Math.min(first, rules.find(protocol, port, ports));
      }
    }
    return first === NO_RULE ? index.denied : (index.allowed[first] ?? index.denied);
  }

  /** An address that the directory does not know is no pod's, so it is in no group. */
  #known(address: string): KnownPeer | undefined {
    const known = this.#peers.get(address);
    if (known !== undefined) return known;
    const identity = ownEntry(this.table.pods, address);
    if (identity === undefined) return undefined;
    const made: KnownPeer = {
      identity,
      ingress: this.#groupRules(this.#ingress, address),
      egress: this.#groupRules(this.#egress, address),
    };
    this.#peers.set(address, made);
    return made;
  }

  #groupRules(index: DirectionIndex, address: string): PortIndex[] {
    const rules: PortIndex[] = [];
    for (const [id, ports] of index.groups) {
      const group = ownEntry(this.table.groups, id);
      if (group !== undefined && memberSet(group.members).has(address)) rules.push(ports);
    }
    return rules;
  }

  explain(direction: Direction, peer: string, protocol: Protocol, port: number): Verdict {
    const verdict = this.judge(direction, peer, protocol, port);
    if (verdict.verdict !== 'deny' || verdict.reason !== 'no-rule') return verdict;
    const flow = { direction, peer: this.#peer(socketAddress(peer)), protocol, port };
    const nearMiss = nearestMiss(this.#resolvedRules(this.table[direction]), flow);
    return nearMiss === undefined ? verdict : { ...verdict, nearMiss };
  }

  #peer(address: string): Peer {
    const words = parseAddress(address);
    const identity = ownEntry(this.table.pods, address);
    return {
      address,
      ...(words === undefined ? {} : { words }),
      ...(identity === undefined
        ? {}
        : {
            pod: {
              namespace: identity.namespace,
              labels: identity.labels,
              namespaceLabels: ownEntry(this.table.namespaces, identity.namespace) ?? {},
              ports: identity.ports,
            },
          }),
    };
  }

  #resolvedRules({ rules }: DirectionTable): ResolvedRule[] {
    return rules.map((rule) => ({
      ...rule,
      peers: rule.peers.flatMap((peer): ResolvedPeer[] => {
        if (peer.kind === 'ipBlock') return [peer];
        const group = ownEntry(this.table.groups, peer.group);
        return group === undefined ? [] : [{ kind: 'pods', ...group }];
      }),
    }));
  }

  identify(address: string): PodIdentity | undefined {
    return ownEntry(this.table.pods, socketAddress(address));
  }
}

/**
 * Makes the judge of a table. Indexes of rules and groups that the table shares with an earlier one are used again,
 * so that making a judge after a small delta is cheap.
 */
export function createJudge(table: Table): Judge {
  return new TableJudge(table);
}
