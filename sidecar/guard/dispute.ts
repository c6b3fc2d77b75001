/**
 * Whether the own node's link-layer address has changed. Anybody on the link can say so; the address that was found at the
 * redirect step is kept for as long as it answers, and another one is taken only where it does not.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RESOLVE_TIMEOUT_MS } from './bind.ts';
import type { Hop } from './plan.ts';
import { askLink, forget, neighbour, pinLink, resolve } from './surroundings.ts';

/** Times that the address which is bound is asked, and how long each answer may take, ms. */
const ASKED = 3;
const ANSWER_MS = 500;
const POLL_MS = 20;

/** How long the node may take to answer what it is asked at the address that is bound, ms. */
const HEARD_MS = 1_000;

/** The node behind a hop. */
export interface AskedNode {
  /** Has it send a packet, if it lives. */
  ask(): void;
  /** Packets of its addresses so far that came from the link-layer address that is bound. */
  heard(): Promise<number>;
}

/** What was found out about a hop. */
export type Dispute =
  /** Nobody says anything else. */
  | { readonly kind: 'none' }
  /** Somebody says that it has another address, and it answers at the one that is bound. */
  | { readonly kind: 'contested'; readonly claimed: string }
  /** It has another address. */
  | { readonly kind: 'moved'; readonly link: string }
  /** It answers nowhere. */
  | { readonly kind: 'silent' };

/**
 * @param bound the link-layer address that is bound
 * @param node behind the hop
 * @param doubted packets came from another one, so that it is asked even where the kernel knows no other
 * @param signal ends the waiting for answers, with an `AbortError`
 */
export async function disputeOf(
  hop: Hop,
  bound: string,
  node: AskedNode,
  doubted: boolean,
  signal: AbortSignal,
): Promise<Dispute> {
  const now = await neighbour(hop);
  if (now.state === 'pinned') await askLink(hop, bound); // by a sidecar that was killed meanwhile
  if (now.link === bound && !doubted) return { kind: 'none' };
  // Put there by somebody with NET_ADMIN, as some networks do; nobody on the link can.
  if (now.state === 'permanent')
    return now.link === undefined || now.link === bound
      ? { kind: 'none' }
      : { kind: 'moved', link: now.link };
  const stays: Dispute =
    now.link === undefined || now.link === bound
      ? { kind: 'none' }
      : { kind: 'contested', claimed: now.link };
  if (await isHeardAt(hop, bound, node, signal)) return stays;
  for (let asked = 0; asked < ASKED; asked += 1) {
    await askLink(hop, bound);
    if (await answersAs(hop, bound, signal)) return stays;
  }
  await forget(hop);
  await resolve(hop);
  const giveUpAtMs = performance.now() + RESOLVE_TIMEOUT_MS;
  while (performance.now() < giveUpAtMs) {
    const { link } = await neighbour(hop);
    if (link === bound) return { kind: 'none' };
    if (link !== undefined) return { kind: 'moved', link };
    await sleep(POLL_MS, undefined, { signal });
  }
  return { kind: 'silent' };
}

/** Asks with packets that go to the bound address alone: a flood of claims on the link does not change where they go. */
async function isHeardAt(hop: Hop, bound: string, node: AskedNode, signal: AbortSignal): Promise<boolean> {
  const before = await node.heard();
  await pinLink(hop, bound);
  try {
    node.ask();
    const giveUpAtMs = performance.now() + HEARD_MS;
    while (performance.now() < giveUpAtMs) {
      if ((await node.heard()) > before) return true;
      await sleep(POLL_MS, undefined, { signal });
    }
    return false;
  } finally {
    await askLink(hop, bound);
  }
}

async function answersAs(hop: Hop, bound: string, signal: AbortSignal): Promise<boolean> {
  const giveUpAtMs = performance.now() + ANSWER_MS;
  for (;;) {
    const { link, state } = await neighbour(hop);
    if (link === bound && state === 'reachable') return true;
    if (link !== bound || performance.now() >= giveUpAtMs) return false;
    await sleep(POLL_MS, undefined, { signal });
  }
}
