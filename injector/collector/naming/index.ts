/** Names of addresses: the pod, node or place outside the cluster that a flow went to. */

export { ExternalPeers } from './external_peers.ts';
export { type NamedEnd, Names } from './names.ts';
