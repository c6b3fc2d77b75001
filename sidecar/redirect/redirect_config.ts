/** What the redirect depends on. */
import type { AddressPort } from '../../common/net.ts';
import type { PathChoice } from '../../common/path.ts';
import type { Paths } from './paths.ts';
import type { RedirectPlan } from './rules.ts';

/** What `redirect` needs. */
export interface RedirectConfig {
  readonly nodeIPs: readonly string[];
  readonly inboundPort: number;
  readonly adminPort: number;
  /** Which path connections are to take, by port. */
  readonly path: PathChoice;
  /** TCP ports that go straight to the app, where there is a gate. */
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

/** What the rules depend on. */
export function planFor(config: RedirectConfig, nodeIPs: readonly string[], paths: Paths): RedirectPlan {
  return { ...config, nodeIPs, paths };
}
