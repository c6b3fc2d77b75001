/** The tier of NetworkPolicies in one direction of a table, indexed by peer and port. */

import { parseAddress } from '../addresses/index.ts';
import { ownEntry } from '../key.ts';
import type { ContainerPort, Protocol } from '../model.ts';
import type { ResolvedPeer, ResolvedRule, SubjectFlow } from '../rules/index.ts';
import { nearestMiss } from '../rules/index.ts';
import type { DirectionTable, Table } from '../table/index.ts';
import { PASS, type TierAnswer } from '../verdict.ts';
import { type DirectionIndex, directionIndex } from './direction_index.ts';
import { GroupIndex } from './group_index.ts';
import { NO_RULE, type PortIndex } from './port_index.ts';
import type { JudgeTier } from './tier.ts';

const NO_PORTS: readonly ContainerPort[] = [];

/** What the tier remembers of an address in the pod directory: its pod's ports, and the rules of the groups it is in. */
interface KnownPeer {
  readonly ports: readonly ContainerPort[];
  readonly rules: readonly PortIndex[];
}

/** The NetworkPolicies of one direction of a table. */
export class NetworkPolicyTier implements JudgeTier {
  readonly #direction: DirectionTable;
  readonly #table: Table;
  readonly #index: DirectionIndex;
  readonly #groups: GroupIndex;
  /** Holds at most the addresses of the directory. */
  readonly #peers = new Map<string, KnownPeer>();
  #resolved: readonly ResolvedRule[] | undefined;

  constructor(direction: DirectionTable, table: Table) {
    this.#direction = direction;
    this.#table = table;
    this.#index = directionIndex(direction);
    this.#groups = new GroupIndex(this.#index.groups, table);
  }

  judge(address: string, protocol: Protocol, port: number): TierAnswer {
    // A pod that no policy selects for this direction is not isolated: this tier has no say.
    if (this.#direction.isolating.length === 0) return PASS;
    // An isolated pod gets what its rules admit. Of several rules that admit it, the first is named: reasons are stable.
    const { allowed, denied } = this.#index;
    const first = this.#firstRule(address, protocol, port);
    return first === NO_RULE ? denied : (allowed[first] ?? denied);
  }

  #firstRule(address: string, protocol: Protocol, port: number): number {
    const { anyPeer, blocks } = this.#index;
    const known = this.#known(address);
    const ports = known?.ports ?? NO_PORTS;
    let first = anyPeer.find(protocol, port, ports);
    if (known !== undefined) {
      for (const rules of known.rules) first = Math.min(first, rules.find(protocol, port, ports));
    }
    if (blocks.isEmpty) return first;
    const words = parseAddress(address);
    if (words === undefined) return first;
    for (const rules of blocks.find(words)) first = Math.min(first, rules.find(protocol, port, ports));
    return first;
  }

  /** An address that the directory does not know is in no group: rights end with the pod. */
  #known(address: string): KnownPeer | undefined {
    const known = this.#peers.get(address);
    if (known !== undefined) return known;
    const identity = ownEntry(this.#table.pods, address);
    if (identity === undefined) return undefined;
    const made: KnownPeer = { ports: identity.ports, rules: this.#groups.find(address, identity) };
    this.#peers.set(address, made);
    return made;
  }

  explain(address: string, flow: SubjectFlow): TierAnswer {
    const answer = this.judge(address, flow.protocol, flow.port);
    if (answer === PASS || answer.verdict === 'allow') return answer;
    const nearMiss = nearestMiss(this.#rules(), flow);
    return nearMiss === undefined ? answer : { ...answer, nearMiss };
  }

  /** The rules with their selectors, for explanations; made when first asked for. */
  #rules(): readonly ResolvedRule[] {
    this.#resolved ??= this.#direction.rules.map((rule) => ({
      ...rule,
      peers: rule.peers.flatMap((peer): ResolvedPeer[] => {
        if (peer.kind === 'ipBlock') return [peer];
        const group = ownEntry(this.#table.groups, peer.group);
        return group === undefined ? [] : [{ kind: 'pods', ...group }];
      }),
    }));
    return this.#resolved;
  }
}
