/** Judges one pod's flows by its table. The hot path of the sidecar. */

import { Recent } from '../../common/recent.ts';
import { isLoopback, parseAddress, socketAddress } from '../addresses/index.ts';
import type { Direction, Protocol } from '../model.ts';
import type { Peer } from '../rules/index.ts';
import {
  type AddressGroup,
  type DirectionTable,
  type PeerIdentity,
  type Table,
  tagOf,
} from '../table/index.ts';
import { type ExemptReason, PASS, TIERS, type Tier, type Verdict } from '../verdict.ts';
import { NetworkPolicyTier } from './network_policy_tier.ts';
import type { JudgeTier } from './tier.ts';

/** Judges by one table, which must not change. Fails closed: what is not an address matches no peer test. */
export interface Judge {
  readonly table: Table;
  /** Hot path: no near miss, few allocations. `peer` is an address as node:net gives it (may be v4-mapped). */
  judge(direction: Direction, peer: string, protocol: Protocol, port: number): Verdict;
  /**
   * The same verdict with the rules that came near filled in.
   * @param owner who has the address: `null`, no pod; absent, not known
   * @param servicePort the port that was asked for, where a Service translates it
   */
  explain(
    direction: Direction,
    peer: string,
    protocol: Protocol,
    port: number,
    owner?: PeerIdentity | null,
    servicePort?: number,
  ): Verdict;
  /**
   * Whether a denial may be wrong: a partial group that admits this port may have the peer, and nobody has asked yet. Cheap.
   * `peer` as `judge` has it.
   */
  isUnsure(direction: Direction, peer: string, protocol: Protocol, port: number): boolean;
  /** Whether rules of this direction ask for partial groups: those that have only the members that were asked about. */
  hasPartial(direction: Direction): boolean;
  /** Whether a canonical address is a member of a partial group: then all partial groups that have it as a member are known. */
  isMet(address: string): boolean;
  /** The tag of the pod that has an address, any spelling a socket may give: one in a group, or the subject itself. */
  tag(address: string): string | undefined;
}

/** Tags that are remembered; the one kept longest goes first. Some 150 bytes each. */
const TAGS_MAX = 4_096;

/** One direction of the table, ready to be judged by. */
interface JudgedDirection {
  /** In the order in which they are asked. */
  readonly tiers: readonly JudgeTier[];
  /** Verdicts that need no rule, made once and given out again. */
  readonly exempt: Readonly<Record<Exclude<ExemptReason, 'not-a-pod'>, Verdict>>;
}

function judgedDirection(directionTable: DirectionTable, table: Table): JudgedDirection {
  const { direction } = directionTable;
  const tiers: Readonly<Record<Tier, JudgeTier>> = {
    NetworkPolicy: new NetworkPolicyTier(directionTable, table),
  };
  return {
    tiers: TIERS.map((tier) => tiers[tier]),
    exempt: {
      'not-isolated': { verdict: 'allow', direction, reason: 'not-isolated' },
      self: { verdict: 'allow', direction, reason: 'self' },
      'own-node': { verdict: 'allow', direction, reason: 'own-node' },
    },
  };
}

class TableJudge implements Judge {
  readonly table: Table;
  readonly #ingress: JudgedDirection;
  readonly #egress: JudgedDirection;
  readonly #selfIPs: ReadonlySet<string>;
  readonly #nodeIPs: ReadonlySet<string>;
  readonly #nodePorts: ReadonlySet<number> | undefined;
  readonly #partial: readonly AddressGroup[];
  /** With a thousand groups, finding one takes 100 us. */
  readonly #tags = new Recent<string, { readonly tag: string | undefined }>(TAGS_MAX);

  constructor(table: Table, nodePorts: ReadonlySet<number> | undefined) {
    this.table = table;
    this.#nodePorts = nodePorts;
    this.#partial = [...table.groups.values()].filter(({ partial }) => partial);
    this.#ingress = judgedDirection(table.ingress, table);
    this.#egress = judgedDirection(table.egress, table);
    this.#selfIPs = new Set(table.subject.ips);
    this.#nodeIPs = new Set(table.subject.nodeIPs);
  }

  judge(direction: Direction, peer: string, protocol: Protocol, port: number): Verdict {
    const { tiers, exempt } = direction === 'ingress' ? this.#ingress : this.#egress;
    const address = socketAddress(peer);
    // A pod cannot be kept from itself, whether it uses its own address or localhost.
    if (this.#selfIPs.has(address) || isLoopback(address)) return exempt.self;
    // Traffic between a pod and the node it runs on is always allowed, no matter what policies say.
    if (this.#nodeIPs.has(address) && this.#takesFromNode(direction, protocol, port))
      return exempt['own-node'];
    // The first tier that does not pass decides; what all tiers pass on is allowed.
    for (const tier of tiers) {
      const answer = tier.judge(address, protocol, port);
      if (answer !== PASS) return answer;
    }
    return exempt['not-isolated'];
  }

  /** A pod may take less from its node. The rest of what comes from the node's address is then judged like any address. */
  #takesFromNode(direction: Direction, protocol: Protocol, port: number): boolean {
    const ports = this.#nodePorts;
    return direction === 'egress' || ports === undefined || (protocol === 'TCP' && ports.has(port));
  }

  explain(
    direction: Direction,
    peer: string,
    protocol: Protocol,
    port: number,
    owner?: PeerIdentity | null,
    servicePort?: number,
  ): Verdict {
    const verdict = this.judge(direction, peer, protocol, port);
    if (verdict.verdict === 'allow') return verdict;
    const { tiers } = direction === 'ingress' ? this.#ingress : this.#egress;
    const address = socketAddress(peer);
    const flow = {
      direction,
      peer: this.#peer(address, owner),
      protocol,
      port,
      ...(servicePort === undefined ? {} : { servicePort }),
    };
    for (const tier of tiers) {
      const answer = tier.explain(address, flow);
      if (answer !== PASS) return answer;
    }
    return verdict;
  }

  isUnsure(direction: Direction, peer: string, protocol: Protocol, port: number): boolean {
    if (this.#partial.length === 0 || this.isMet(socketAddress(peer))) return false;
    const { tiers } = direction === 'ingress' ? this.#ingress : this.#egress;
    return tiers.some((tier) => tier.mayAdmitOnceMet(protocol, port));
  }

  hasPartial(direction: Direction): boolean {
    if (this.#partial.length === 0) return false;
    const { tiers } = direction === 'ingress' ? this.#ingress : this.#egress;
    return tiers.some((tier) => tier.hasPartial);
  }

  isMet(address: string): boolean {
    return this.#partial.some(({ members }) => members.has(address));
  }

  #peer(address: string, owner: PeerIdentity | null | undefined): Peer {
    const words = parseAddress(address);
    const base = words === undefined ? { address } : { address, words };
    if (owner === undefined) return { ...base, unidentified: true };
    return owner === null ? base : { ...base, pod: owner };
  }

  tag(peer: string): string | undefined {
    const address = socketAddress(peer);
    const known = this.#tags.get(address);
    if (known !== undefined) return known.tag;
    return this.#tags.keep(address, { tag: this.#findTag(address) }).tag;
  }

  #findTag(address: string): string | undefined {
    if (this.#selfIPs.has(address)) return tagOf(this.table.subject.uid);
    for (const { members } of this.table.groups.values()) {
      const found = members.get(address);
      if (found !== undefined) return found;
    }
    return undefined;
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
