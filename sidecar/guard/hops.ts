/** The next hops through which the own node is reached, by the link-layer addresses that are bound to them. */
import net from 'node:net';
import { properPackets } from './counts.ts';
import type { AskedNode } from './dispute.ts';
import type { Hop, NodeAddress } from './plan.ts';

/** A port of the node that answers, or refuses: either comes from the node. The kubelet's. */
const NODE_PORT = 10_250;
const NODE_TIMEOUT_MS = 1_000;

/** A next hop and the link-layer address that is bound to it. */
export interface BoundHop {
  readonly hop: Hop;
  readonly link: string;
}

/** Next hops and the link-layer addresses bound to them, each once. */
export function boundHops(nodes: readonly NodeAddress[]): readonly BoundHop[] {
  const found = new Map<string, BoundHop>();
  for (const { hop, binding } of nodes) {
    if (hop === undefined || binding.kind !== 'link') continue;
    found.set(`${hop.address} ${hop.device} ${binding.link}`, { hop, link: binding.link });
  }
  return [...found.values()];
}

/** Whether an address of the node is reached through this hop. */
export function isThrough(node: NodeAddress, { hop, link }: BoundHop): boolean {
  return (
    node.hop?.address === hop.address &&
    node.hop.device === hop.device &&
    node.binding.kind === 'link' &&
    node.binding.link === link
  );
}

/** The node behind a hop, to be asked. */
export function nodeThrough(nodes: readonly NodeAddress[], bound: BoundHop): AskedNode {
  const addresses = nodes.filter((node) => isThrough(node, bound)).map(({ address }) => address);
  return {
    ask() {
      for (const address of addresses) askNode(address, bound.hop.device);
    },
    heard: async () => {
      const proper = await properPackets();
      return addresses.reduce((sum, address) => sum + (proper.get(address) ?? 0), 0);
    },
  };
}

/** Has the node send a packet: whether it accepts or refuses does not matter. */
export function askNode(address: string, device: string): void {
  const host = address.startsWith('fe80:') ? `${address}%${device}` : address;
  const socket = net.connect({ host, port: NODE_PORT, timeout: NODE_TIMEOUT_MS });
  for (const event of ['connect', 'error', 'timeout'] as const) socket.once(event, () => socket.destroy());
}
