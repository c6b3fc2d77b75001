/** A line of flows, checked. What a sidecar says of itself is believed; that it has the form and bounds that ours have is not. */
import { isIP } from 'node:net';
import { integer, object, oneOf } from '../../../common/shape.ts';
import { type FlowCount, type FlowWindow, flowWindow, OTHER_PEERS } from '../../../flows/index.ts';

/** Longest name of a policy or Service with its namespace, characters: two of 253, and what stands between. Source: RFC 1123. */
const MAX_NAME = 512;

/** Longest reason, characters: ours are words. */
const MAX_REASON = 64;

/** In one window, so that sums of a month stay exact: 10 million flows a second, 100 TB. */
const MAX_FLOWS = 1e8;
const MAX_BYTES = 1e14;

/** Rules of one policy that are told apart. */
const MAX_RULE = 100_000;

/** Windows of a sidecar whose clock is further from ours are taken to end now, ms. */
const MAX_SKEW_MS = 60_000;

const line = object({
  type: oneOf('flows'),
  sum: integer(0, Number.MAX_SAFE_INTEGER),
  window: flowWindow,
});

/**
 * The window of a line, by the injector's clock.
 * @param namespace of the sidecar's pod
 * @throws Error where it has another form
 */
export function readFlowLine(bytes: Uint8Array, namespace: string, nowMs: number): FlowWindow {
  const { window } = line.readJson(new TextDecoder().decode(bytes), 'line', (problem) => new Error(problem));
  for (const [at, count] of window.counts.entries()) {
    const wrong = problemOf(count, namespace);
    if (wrong !== undefined) throw new Error(`line.window.counts[${at}].${wrong}`);
  }
  return timed(window, nowMs);
}

/** A window that ends later than now, or long ago, is moved: it has just come. */
function timed(window: FlowWindow, nowMs: number): FlowWindow {
  const lengthMs = Math.min(Math.max(0, window.to - window.from), MAX_SKEW_MS);
  const to = window.to > nowMs || window.to < nowMs - MAX_SKEW_MS ? nowMs : window.to;
  return { ...window, from: to - lengthMs, to };
}

function problemOf(count: FlowCount, namespace: string): string | undefined {
  const { peer, reason, policy, rule, service, flows, packets, sent, received } = count;
  if (!isPeer(peer)) return 'peer is no address';
  if (reason.length > MAX_REASON) return `reason is longer than ${MAX_REASON}`;
  if ((service ?? '').length > MAX_NAME) return `service is longer than ${MAX_NAME}`;
  if (policy !== undefined) {
    if (policy.length > MAX_NAME) return `policy is longer than ${MAX_NAME}`;
    // A policy selects pods of its own namespace; one of the whole cluster has none.
    if (!policy.startsWith(`${namespace}/`) && !policy.startsWith('/'))
      return 'policy is of another namespace';
  }
  if ((rule ?? 0) > MAX_RULE) return `rule is above ${MAX_RULE}`;
  if (flows > MAX_FLOWS) return `flows are above ${MAX_FLOWS}`;
  if (packets > MAX_BYTES || sent > MAX_BYTES || received > MAX_BYTES) return `bytes are above ${MAX_BYTES}`;
  return undefined;
}

/** An address, a network or the word for others; no longer than such are. */
function isPeer(peer: string): boolean {
  if (peer === OTHER_PEERS || isIP(peer) !== 0) return true;
  const [address = '', bits = '', more] = peer.split('/');
  return more === undefined && /^\d{1,3}$/.test(bits) && isIP(address) !== 0;
}
