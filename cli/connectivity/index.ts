/** Who can reach whom: connectivity between workloads and networks, as sets of ports, exactly by the engine's rules. */

export { type ComparedEnd, comparedEnds, isSingle, type Side } from './compared_ends.ts';
export { blocksOfPolicies, type Connectivity, createConnectivity } from './connectivity.ts';
export { arePods, type EndGroup, groupEnds, pairCount } from './end_groups.ts';
export { endJson } from './end_json.ts';
export { createEndNames, type EndNames, type EndPart } from './end_sets.ts';
export type { IsolatingRule, Isolation, Opening } from './isolation.ts';
export { joinPairs } from './joined_pairs.ts';
export { type KnownPod, type KnownPods, knownPods } from './known_pods.ts';
export {
  blocksOf,
  createNetworks,
  type NetworkBlock,
  type Networks,
  networkText,
  type Region,
} from './networks.ts';
export type { Peer } from './peer_tests.ts';
export { type CandidatePod, type PodCandidates, podCandidates } from './pod_candidates.ts';
export {
  ALL_PORTS,
  difference,
  hasPort,
  intersection,
  isShownWhole,
  NO_PORTS,
  type PortRange,
  type PortSet,
  portSet,
  portsText,
  union,
} from './port_set.ts';
export { createIsSame, type IsSame } from './same_ends.ts';
export {
  type Directions,
  directionsOf,
  haveOneFamily,
  isJudged,
  portsBetween,
  type Stance,
} from './stance.ts';
