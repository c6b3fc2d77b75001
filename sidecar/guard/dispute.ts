/**
 * Whether the own node's link-layer address has changed. Anybody on the link can say so; the address that was found at the
 * redirect step is kept for as long as it answers, and another one is taken only where it does not.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RESOLVE_TIMEOUT_MS } from './bind.ts';
import type { Hop } from './plan.ts';
import { askLink, forget, neighbour, resolve } from './surroundings.ts';

/** Times that the address which is bound is asked, and how long each answer may take, ms. */
const ASKED = 3;
const ANSWER_MS = 500;
const POLL_MS = 20;

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
 * @param doubted packets came from another one, so that it is asked even where the kernel knows no other
 * @param signal ends the waiting for answers, with an `AbortError`
 */
export async function disputeOf(
  hop: Hop,
  bound: string,
  doubted: boolean,
  signal: AbortSignal,
): Promise<Dispute> {
  const now = await neighbour(hop);
  if (now.link === bound && !doubted) return { kind: 'none' };
  // Put there by somebody with NET_ADMIN, as some networks do; nobody on the link can.
  if (now.state === 'permanent')
    return now.link === undefined || now.link === bound
      ? { kind: 'none' }
      : { kind: 'moved', link: now.link };
  for (let asked = 0; asked < ASKED; asked += 1) {
    await askLink(hop, bound);
    if (await answersAs(hop, bound, signal)) {
      return now.link === undefined || now.link === bound
        ? { kind: 'none' }
        : { kind: 'contested', claimed: now.link };
    }
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

async function answersAs(hop: Hop, bound: string, signal: AbortSignal): Promise<boolean> {
  const giveUpAtMs = performance.now() + ANSWER_MS;
  for (;;) {
    const { link, state } = await neighbour(hop);
    if (link === bound && state === 'reachable') return true;
    if (link !== bound || performance.now() >= giveUpAtMs) return false;
    await sleep(POLL_MS, undefined, { signal });
  }
}
