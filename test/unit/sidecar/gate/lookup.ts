/** Looks a packet up in a gate's plan as the kernel does: pods, then blocks, then the rest. */
import { type Protocol, parseAddress } from '../../../../policy/index.ts';
import { familyOf, type GatePlan } from '../../../../sidecar/gate/plan.ts';

export function planAdmits(plan: GatePlan, source: string, protocol: Protocol, port: number): boolean {
  if (!plan.isolated || plan.nodeIPs.includes(source)) return true;
  const family = familyOf(source);
  const block = [...plan.blocks[family]].find(([range]) => inRange(range, source))?.[1];
  const access = plan.accesses.get(plan.pods[family].get(source) ?? block ?? plan.rest);
  return (access?.get(protocol) ?? []).some(({ from, to }) => port >= from && port <= to);
}

function inRange(range: string, address: string): boolean {
  const [from = '', to = from] = range.split('-');
  const value = number(address);
  return value >= number(from) && value <= number(to);
}

function number(address: string): bigint {
  return (parseAddress(address) ?? []).reduce((value, word) => (value << 32n) | BigInt(word), 0n);
}
