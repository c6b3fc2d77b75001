/** Whom policy is not asked about: the pod's own node, so that the kubelet's probes reach the app. */
import type { SidecarConfig } from '../config.ts';
import type { Guard } from '../guard/index.ts';

/** @returns whether the redirect lets an address in to a port without asking policy */
export function exemptFrom(
  { nodePorts }: Pick<SidecarConfig, 'nodePorts'>,
  guard: Guard,
): (address: string, port: number) => boolean {
  const nodes = new Set(guard.nodeIPs);
  return (address, port) => nodes.has(address) && nodePorts?.includes(port) !== false;
}
