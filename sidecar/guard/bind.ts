/** Finds out how packets of the own node are known: each address by the link-layer address of its next hop. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff, type BackoffBounds } from '../../common/backoff.ts';
import type { Binding, Hop, NodeAddress } from './plan.ts';
import { hopTo, type Interface, neighbour, resolve } from './surroundings.ts';

/** How long the redirect step waits for a hop to answer, ms: the kernel asks three times, a second apart. */
export const RESOLVE_TIMEOUT_MS = 3_000;
/** Between two looks, ms: a hop answers within a millisecond, or takes a while. */
const RESOLVE_POLL_MS: BackoffBounds = { firstMs: 5, lastMs: 50, jitter: false };

/** An own-node address as it is heard of. */
export type Claim = Pick<NodeAddress, 'address' | 'from'> & { readonly hop?: Hop };

/** Claims with their hops; nothing is bound yet. */
export async function withHops(claims: readonly Claim[]): Promise<readonly NodeAddress[]> {
  return Promise.all(
    claims.map(async ({ address, from, hop }) => ({
      address,
      from,
      hop: hop ?? (await hopTo(address)),
      binding: { kind: 'unresolved' } as const,
    })),
  );
}

/**
 * The same addresses, bound as far as hops answer within `timeoutMs`. Those that are bound already stay as they are.
 * @param interfaceList all of the pod; only some have link-layer addresses
 */
export async function bind(
  nodes: readonly NodeAddress[],
  interfaceList: readonly Interface[],
  timeoutMs: number,
): Promise<readonly NodeAddress[]> {
  const answers = new Map<string, Promise<Binding>>();
  return Promise.all(
    nodes.map(async (node) => {
      if (node.binding.kind !== 'unresolved' || node.hop === undefined) return node;
      const { address, device } = node.hop;
      const key = `${address} ${device}`;
      const answer = answers.get(key) ?? bindingOf(node.hop, interfaceList, timeoutMs);
      answers.set(key, answer);
      return { ...node, binding: await answer };
    }),
  );
}

async function bindingOf(hop: Hop, list: readonly Interface[], timeoutMs: number): Promise<Binding> {
  if (list.find(({ name }) => name === hop.device)?.hasLinks !== true)
    return { kind: 'address-alone', why: `${hop.device} has no link-layer addresses` };
  const giveUpAtMs = performance.now() + timeoutMs;
  const poll = new Backoff(RESOLVE_POLL_MS);
  for (;;) {
    const { link } = await neighbour(hop);
    if (link !== undefined) return { kind: 'link', link };
    await resolve(hop);
    if (performance.now() >= giveUpAtMs) return { kind: 'unresolved' };
    await sleep(poll.next());
  }
}
