/** The tier of NetworkPolicies in one direction of a table, indexed by peer and port. */

import { Recent } from '../../common/recent.ts';
import { parseAddress } from '../addresses/index.ts';
import type { ContainerPort, Protocol } from '../model.ts';
import type { ResolvedPeer, ResolvedRule, SubjectFlow } from '../rules/index.ts';
import { nearestMisses } from '../rules/index.ts';
import { type DirectionTable, portsOf, type Table } from '../table/index.ts';
import { PASS, type TierAnswer } from '../verdict.ts';
import { type DirectionIndex, directionIndex } from './direction_index.ts';
import { GroupIndex } from './group_index.ts';
import { NO_RULE, type PortIndex } from './port_index.ts';
import type { JudgeTier } from './tier.ts';

/** Addresses that are remembered; the one kept longest goes first. Some 150 bytes each. */
const KNOWN_MAX = 16_384;

/** What the tier remembers of an address: its pod's ports, as far as rules ask for them, and the rules of the groups it is in. */
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
  readonly #partial: readonly PortIndex[];
  readonly #peers = new Recent<string, KnownPeer>(KNOWN_MAX);
  #resolved: readonly ResolvedRule[] | undefined;

  constructor(direction: DirectionTable, table: Table) {
    this.#direction = direction;
    this.#table = table;
    this.#index = directionIndex(direction);
    this.#groups = new GroupIndex(this.#index.groups, table);
    this.#partial = this.#groups.partial;
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
    const { ports, rules: own } = this.#known(address);
    let first = anyPeer.find(protocol, port, ports);
    for (const rules of own) first = Math.min(first, rules.find(protocol, port, ports));
    if (blocks.isEmpty) return first;
    const words = parseAddress(address);
    if (words === undefined) return first;
    for (const rules of blocks.find(words)) first = Math.min(first, rules.find(protocol, port, ports));
    return first;
  }

  #known(address: string): KnownPeer {
    const known = this.#peers.get(address);
    if (known !== undefined) return known;
    const ports = portsOf(this.#table, address);
    return this.#peers.keep(address, { ports, rules: this.#groups.find(address) });
  }

  get hasPartial(): boolean {
    return this.#partial.length > 0;
  }

  mayAdmitOnceMet(protocol: Protocol, port: number): boolean {
    return this.#partial.some((ports) => ports.mayAdmit(protocol, port));
  }

  explain(address: string, flow: SubjectFlow): TierAnswer {
    const answer = this.judge(address, flow.protocol, flow.port);
    if (answer === PASS || answer.verdict === 'allow') return answer;
    const near = nearestMisses(this.#rules(), flow);
    return near.length === 0 ? answer : { ...answer, near };
  }

  /** The rules with their selectors, for explanations; made when first asked for. */
  #rules(): readonly ResolvedRule[] {
    this.#resolved ??= this.#direction.rules.map((rule) => ({
      ...rule,
      peers: rule.peers.flatMap((peer): ResolvedPeer[] => {
        if (peer.kind === 'ipBlock') return [peer];
        const group = this.#table.groups.get(peer.group);
        return group === undefined ? [] : [{ kind: 'pods', ...group }];
      }),
    }));
    return this.#resolved;
  }
}
