/** Carries a network plan out, and takes a lab's network down, through `ip`. */

import { readdirSync } from 'node:fs';
import { netnsPrefix } from '../names/index.ts';
import { inNetns, NETNS_FOLDER, runTool } from '../processes/index.ts';
import type { NetworkPlan } from './network_plan.ts';

/** Namespaces set up at the same time: each is a short-lived shell and `ip`. */
const PARALLEL_SETUPS = 4;

/**
 * Settings of a new namespace, before its links come up: addresses are usable at once (no duplicate address
 * detection), routers forward without advising shortcuts, and no reverse path filter the host may have set applies.
 * Bridges leave packets to the router above them: where the host has br_netfilter, its bridges would otherwise apply a
 * node's rules for Services themselves, and send what a pod sends to itself nowhere.
 */
const PREPARE = `
put() { for file in $2; do [ ! -w "$file" ] || echo "$1" > "$file"; done; }
put 0 '/proc/sys/net/ipv6/conf/*/disable_ipv6'
put 0 '/proc/sys/net/ipv6/conf/*/accept_dad'
put 0 '/proc/sys/net/ipv6/conf/*/accept_ra'
put 0 '/proc/sys/net/ipv4/conf/*/rp_filter'
put 0 '/proc/sys/net/ipv4/conf/*/send_redirects'
put 0 '/proc/sys/net/ipv4/conf/*/accept_redirects'
put 0 '/proc/sys/net/ipv6/conf/*/accept_redirects'
put 0 '/proc/sys/net/bridge/bridge-nf-call-*'
`;

const FORWARD = `
put 1 /proc/sys/net/ipv4/ip_forward
put 1 /proc/sys/net/ipv6/conf/all/forwarding
`;

/**
 * Carries a plan out.
 * @param routers namespaces that forward: nodes and `outside`
 * @throws SluiceError `LAB_COMMAND_FAILED`
 */
export async function applyPlan(lab: string, plan: NetworkPlan, routers: ReadonlySet<string>): Promise<void> {
  await inParallel([...plan.detach], ([netns, lines]) => ipInside(lab, netns, lines, ''));
  await ipBatch(
    lab,
    plan.removeNamespaces.map((netns) => `netns del ${netns}`),
  );
  await ipBatch(
    lab,
    plan.addNamespaces.map((netns) => `netns add ${netns}`),
  );
  await ipBatch(lab, plan.links);
  const added = new Set(plan.addNamespaces);
  await inParallel([...plan.setup], ([netns, lines]) => {
    const prepare = added.has(netns) ? PREPARE + (routers.has(netns) ? FORWARD : '') : '';
    return ipInside(lab, netns, lines, prepare);
  });
}

/** The namespaces that a lab has on this machine; its state is not asked. */
export function existingNamespaces(lab: string): string[] {
  return allNamespaces().filter((name) => name.startsWith(netnsPrefix(lab)));
}

/** All network namespaces with a name. */
export function allNamespaces(): string[] {
  try {
    return readdirSync(NETNS_FOLDER);
  } catch {
    return []; // No namespace was ever made.
  }
}

/** Removes namespaces, and with them their interfaces. */
export async function removeNamespaces(lab: string, names: readonly string[]): Promise<void> {
  await ipBatch(
    lab,
    names.map((netns) => `netns del ${netns}`),
  );
}

async function ipBatch(lab: string, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await runTool(lab, ['ip', '-batch', '-'], `${lines.join('\n')}\n`);
}

async function ipInside(
  lab: string,
  netns: string,
  lines: readonly string[],
  prepare: string,
): Promise<void> {
  const argv = inNetns(netns, ['sh', '-c', `${prepare}exec ip -batch -`]);
  await runTool(lab, argv, `${lines.join('\n')}\n`);
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: PARALLEL_SETUPS }, worker));
}
