/** Looks a packet up in a gate's plan as the kernel does: virtual ports, pods, blocks, then the rest. */
import {
  type Direction,
  familyOf,
  type Protocol,
  parseAddress,
  virtualKey,
} from '../../../../policy/index.ts';
import { admits } from '../../../../sidecar/gate/plan/access.ts';
import type { GatePlan } from '../../../../sidecar/gate/plan/plan.ts';

export function planAdmits(
  gate: GatePlan,
  direction: Direction,
  peer: string,
  protocol: Protocol,
  port: number,
): boolean {
  const plan = gate[direction];
  if (!plan.isolated || gate.nodeIPs.includes(peer)) return true;
  const family = familyOf(peer);
  const virtual = plan.services.ports.get(virtualKey(peer, protocol, port));
  if (virtual !== undefined) return virtual.backends.length > 0;
  const block = [...plan.blocks[family]].find(([range]) => inRange(range, peer))?.[1];
  return admits(plan.accesses.get(plan.pods[family].get(peer) ?? block ?? plan.rest), protocol, port);
}

function inRange(range: string, address: string): boolean {
  const [from = '', to = from] = range.split('-');
  const value = number(address);
  return value >= number(from) && value <= number(to);
}

function number(address: string): bigint {
  return (parseAddress(address) ?? []).reduce((value, word) => (value << 32n) | BigInt(word), 0n);
}
