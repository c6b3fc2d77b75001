/** What both parts of this room ask of an outbound flow: is it the pod's own, may it go on, and what is recorded of its end. */

import type { FlowEnd } from '../../flows/index.ts';
import { type Judge, type Verdict, virtualKey } from '../../policy/index.ts';
import type { Side, TrackedFlow } from '../kernel/index.ts';
import type { EndedOutbound } from '../records/index.ts';
import type { FormerVerdict, Revocation } from '../table/index.ts';

/** Bytes from and to who opened a flow. */
interface CountedBytes {
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** The addresses that interfaces of the pod have. */
export type Interfaces = () => readonly string[];

/**
 * The pod's own addresses: those that the table has; before the API server knows any, those of the interfaces. Policy isolates a pod
 * from the start.
 */
export function ownAddressesOf({ table }: Judge, interfaces: Interfaces): ReadonlySet<string> {
  const { ips } = table.subject;
  return new Set(ips.length > 0 ? ips : interfaces());
}

/**
 * Whether the pod opened a flow to others: the proxy dials apps from the addresses of their clients. Flows to `injector`
 * are the sidecar's own.
 */
export function isToOthers(
  { source, destination, answering }: TrackedFlow,
  own: ReadonlySet<string>,
  injector: Side | undefined,
): boolean {
  if (injector !== undefined && isSame(destination, injector)) return false;
  return own.has(source.address) && !own.has(answering.address);
}

/**
 * The end of a flow.
 * @param details `bytes`: what counted them, the flow itself or its socket; absent: nobody. `was`: of what a table ended
 */
export function endedOutbound(
  { protocol, source, destination, answering }: TrackedFlow,
  judge: Judge,
  {
    bytes,
    verdict,
    end,
    was,
  }: {
    readonly bytes: CountedBytes | undefined;
    readonly verdict: Verdict;
    readonly end: FlowEnd;
    readonly was?: FormerVerdict | undefined;
  },
): EndedOutbound {
  return {
    protocol,
    local: source,
    remote: destination,
    backend: answering,
    tag: judge.tag(answering.address),
    bytesSent: bytes?.bytesSent,
    bytesReceived: bytes?.bytesReceived,
    verdict,
    end,
    ...(was === undefined ? {} : { was }),
  };
}

/**
 * What connection tracking has counted of a flow. Undefined where it did not count: a counted flow has at least the bytes of its first
 * packet.
 */
export function countedBytes(flow: CountedBytes): CountedBytes | undefined {
  return flow.bytesSent === 0 ? undefined : flow;
}

/** Why a flow may not go on; undefined while it may. */
export function revoked(flow: TrackedFlow, judge: Judge): Revocation | undefined {
  const { answering, protocol } = flow;
  const verdict = judge.judge('egress', answering.address, protocol, answering.port);
  if (verdict.verdict === 'deny') {
    const isUnsure = judge.isUnsure('egress', answering.address, protocol, answering.port);
    return { cause: 'policy-changed', verdict, isUnsure };
  }
  return isUnresolved(flow, judge) ? { cause: 'service-unresolved', verdict } : undefined;
}

/** To a Service, and opened before this pod picked backends itself: which one the node took is not known here. */
function isUnresolved({ protocol, destination, answering }: TrackedFlow, judge: Judge): boolean {
  return (
    isSame(destination, answering) &&
    judge.table.services.has(virtualKey(destination.address, protocol, destination.port))
  );
}

/** The same address and port. */
export function isSame(a: Side, b: Side): boolean {
  return a.address === b.address && a.port === b.port;
}
