/** Judges a flow by nothing but what a description says. */
import type { DirectionData, PeerData, PortData, RuleData } from '../../../../cli/describe/description.ts';
import { blockMatches, type ContainerPort, parseAddress } from '../../../../policy/index.ts';

/** The other side of a flow. */
export interface OtherSide {
  readonly address: string;
  /** As the description names its workload; absent where no pod has the address. */
  readonly workload?: string;
  readonly ports?: readonly ContainerPort[];
}

/** The first rule that admits the flow; `open` where nothing isolates. */
export function admittedBy(
  { isolated, rules }: DirectionData,
  other: OtherSide,
  { protocol, port }: { readonly protocol: string; readonly port: number },
): RuleData | 'open' | undefined {
  if (!isolated) return 'open';
  return rules.first.find(
    ({ ports, peers }) =>
      (ports.count === 0 || ports.first.some((one) => isPort(one, protocol, port, other.ports ?? []))) &&
      peers.first.some((peer) => isPeer(peer, other)),
  );
}

function isPort(one: PortData, protocol: string, port: number, ofPeer: readonly ContainerPort[]): boolean {
  if (one.protocol !== protocol || one.missing) return false;
  if (one.first !== undefined) return port >= one.first && port <= (one.last ?? one.first);
  if (one.name === undefined) return true;
  return ofPeer.some((its) => its.name === one.name && its.protocol === protocol && its.port === port);
}

function isPeer(peer: PeerData, { address, workload }: OtherSide): boolean {
  switch (peer.kind) {
    case 'anybody':
      return true;
    case 'block':
      return blockMatches({ cidr: peer.cidr, except: peer.except.first }, parseAddress(address));
    case 'pods':
      return workload !== undefined && peer.now.workloads.first.includes(workload);
  }
}
