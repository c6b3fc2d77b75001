/** What the redirect depends on. */
import type { AddressPort } from '../../common/net.ts';
import type { RedirectPlan } from './rules.ts';

/** What `redirect` needs. */
export interface RedirectConfig {
  readonly nodeIPs: readonly string[];
  readonly inboundPort: number;
  readonly adminPort: number;
  /** TCP ports that bypass the proxy. */
  readonly excludedPorts: readonly number[];
  readonly canaryPort: number;
  /** TCP ports that the own node always reaches; absent: everything. */
  readonly nodePorts: readonly number[] | undefined;
  readonly iptables: 'auto' | 'nft' | 'legacy';
  readonly deny: 'drop' | 'reset';
  readonly otherProtocols: 'accept' | 'drop';
  /** Where the injector is, in a cluster: the gate always lets the sidecar get there, and nothing else of the pod. */
  readonly injector: AddressPort | undefined;
}

/** What the rules depend on. Without a gate nobody would judge what bypasses the proxy: then nothing does. */
export function planFor(config: RedirectConfig, nodeIPs: readonly string[], hasGate: boolean): RedirectPlan {
  return { ...config, nodeIPs, excludedPorts: hasGate ? config.excludedPorts : [] };
}
