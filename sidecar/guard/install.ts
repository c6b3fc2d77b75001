/** Puts the guard into the kernel, at the redirect step and again where it was taken out; and takes it out. */

import { SluiceError } from '../../common/errors.ts';
import { familyOf } from '../../policy/index.ts';
import { listNft, runNft, tryNft } from '../kernel/index.ts';
import { bind, type Claim, RESOLVE_TIMEOUT_MS, withHops } from './bind.ts';
import { keptPlan, missingParts } from './kept_plan.ts';
import { GUARD_PARTS, type GuardPart, type GuardPlan, type NodeAddress, type OwnAddresses } from './plan.ts';
import {
  changedBindings,
  FRAMES_TABLE,
  framesRuleset,
  GUARD_TABLE,
  guardRuleset,
  REMOVED_FRAMES,
  REMOVED_GUARD,
} from './ruleset.ts';
import { defaultGateways, type Interface, interfaces, ownAddresses } from './surroundings.ts';

/** What does not hold here, as text; absent where it does. */
export interface GuardProblems {
  /** There is no guard at all. */
  readonly packets?: string;
  /** Frames of raw packet sockets are not looked at. */
  readonly frames?: string;
}

/** A guard that this process has put in force. */
export interface InstalledGuard {
  readonly plan: GuardPlan;
  readonly problems: GuardProblems;
  /** The pod's own addresses that frames may carry. */
  readonly own: OwnAddresses;
}

/**
 * What the guard is to hold. What the redirect step found first is kept: later routes may be anybody's.
 * @param nodeIPs as set, and of the table
 * @throws SluiceError `GATE_REFUSED` or `TOOL_*` when the tools cannot say what was found
 */
export async function planGuard(nodeIPs: readonly string[]): Promise<GuardPlan> {
  const kept = await keptPlan().catch((error: unknown) => {
    if (error instanceof SluiceError && error.code === 'GATE_UNAVAILABLE') return undefined;
    throw error; // there may be one: the routes of today are not to stand in for it
  });
  if (kept !== undefined) return withNodes(kept, nodeIPs);
  const [list, gateways] = await Promise.all([interfaces(), defaultGateways()]);
  const claims = new Map<string, Claim>(nodeIPs.map((address) => [address, { address, from: 'settings' }]));
  for (const { advertised, address, device } of gateways) {
    if (advertised) continue;
    claims.delete(address); // gateways stand last
    claims.set(address, { address, from: 'gateway', hop: { address, device } });
  }
  return {
    uplinks: list.map(({ name }) => name),
    links: list.filter(({ hasLinks }) => hasLinks).map(({ name }) => name),
    nodes: await withHops([...claims.values()]),
    routers: [
      ...new Set(gateways.map(({ address }) => address).filter((address) => familyOf(address) === 6)),
    ],
  };
}

/** The plan with these addresses of the node in place of those that were set before; gateways stay. */
export async function withNodes(plan: GuardPlan, nodeIPs: readonly string[]): Promise<GuardPlan> {
  const known = new Map(plan.nodes.map((one) => [one.address, one]));
  const gateways = plan.nodes.filter(({ from }) => from === 'gateway');
  const set = nodeIPs.filter((address) => known.get(address)?.from !== 'gateway');
  const fresh = await withHops(
    set.filter((address) => !known.has(address)).map((address) => ({ address, from: 'settings' })),
  );
  const settings = set.flatMap(
    (address) => known.get(address) ?? fresh.find((one) => one.address === address) ?? [],
  );
  return { ...plan, nodes: [...settings, ...gateways] };
}

/**
 * Puts the guard in force, with what is known of hops so far: addresses that are not bound yet do not come in.
 * @param parts those to put in; each whole, in place of what is there
 * @param own what frames may carry; default: the pod's addresses as they are now
 * @returns what does not hold of these; never throws for what the kernel or the image lacks
 * @throws SluiceError `GATE_REFUSED`
 */
export async function installGuard(
  plan: GuardPlan,
  parts: readonly GuardPart[] = GUARD_PARTS,
  own: OwnAddresses = ownAddresses(),
): Promise<GuardProblems> {
  if (parts.includes('packets')) {
    try {
      await runNft(guardRuleset(plan));
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'GATE_UNAVAILABLE')
        return { packets: error.message };
      throw error;
    }
  }
  if (!parts.includes('frames')) return {};
  // Older kernels have no hook there: what they lack is said.
  return runNft(framesRuleset(plan, own)).then(
    () => ({}),
    (error: Error) => ({ frames: error.message }),
  );
}

/** How long a guard that is not in the kernel yet waits for hops, ms: most answer within one. */
const FIRST_BIND_MS = 30;

/** The plan, with what can be bound at once: then the guard goes in with its bindings. */
export async function bindPlan(plan: GuardPlan): Promise<GuardPlan> {
  return { ...plan, nodes: await bind(plan.nodes, uplinksOf(plan), FIRST_BIND_MS) };
}

/** Binds what is not bound yet, in the kernel as well. @returns the plan in force */
export async function bindGuard(plan: GuardPlan): Promise<GuardPlan> {
  const nodes = await bind(plan.nodes, uplinksOf(plan), RESOLVE_TIMEOUT_MS);
  return putNodes(plan, nodes);
}

function uplinksOf({ uplinks, links }: GuardPlan): readonly Interface[] {
  return uplinks.map((name) => ({ name, hasLinks: links.includes(name) }));
}

/** Has the kernel know the node by these bindings. @throws SluiceError `GATE_*` */
export async function putNodes(plan: GuardPlan, nodes: readonly NodeAddress[]): Promise<GuardPlan> {
  const text = changedBindings(plan.nodes, nodes);
  if (text !== '') await runNft(text);
  return { ...plan, nodes };
}

/** Takes the guard out. */
export async function removeGuard(): Promise<void> {
  await runNft(REMOVED_GUARD);
  await runNft(REMOVED_FRAMES).catch(() => {}); // where frames cannot be looked at there is none
}

/**
 * @param plan of the guard
 * @throws SluiceError `REDIRECT_INCOMPLETE` where a part of the guard is missing and could be there
 */
export async function verifyGuard(plan: GuardPlan): Promise<void> {
  const missing = await missingParts(plan);
  if (missing.length === 0 || (await isWithoutNft())) return;
  if (missing.includes('packets')) throw incomplete(GUARD_TABLE);
  const possible = await tryNft(framesRuleset(plan, ownAddresses())).then(
    () => true,
    (error: SluiceError) => {
      if (error.cause !== undefined) throw error; // nft did not get to say so
      return false;
    },
  );
  if (possible) throw incomplete(FRAMES_TABLE);
}

async function isWithoutNft(): Promise<boolean> {
  return listNft(`table ${GUARD_TABLE}`).then(
    () => false,
    (error: SluiceError) => {
      if (error.code === 'GATE_UNAVAILABLE') return true;
      throw error;
    },
  );
}

function incomplete(table: string): SluiceError {
  return new SluiceError('REDIRECT_INCOMPLETE', `nft: the table ${table} is missing, or not whole`);
}
