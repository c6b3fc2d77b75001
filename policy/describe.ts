/** A verdict in one sentence, for logs, events and terminals. */

import { unreachable } from '../common/errors.ts';
import type { Protocol } from './model.ts';
import type { NearMiss, PolicyRef, Verdict } from './verdict.ts';

/** The flow a verdict is about, as seen from the subject. */
export interface FlowParties {
  /** The other side: its address, and the pod that owns it where one does. */
  readonly peer: {
    readonly address?: string | undefined;
    readonly identity?: { readonly namespace: string; readonly name: string } | undefined;
  };
  readonly protocol: Protocol;
  readonly port: number;
}

function formatPolicy(policy: PolicyRef): string {
  return `${policy.namespace}/${policy.name}`;
}

function formatPeer({ address, identity }: FlowParties['peer']): string {
  if (identity === undefined) return address ?? 'an unknown peer';
  const pod = `${identity.namespace}/${identity.name}`;
  return address === undefined ? pod : `${pod} (${address})`;
}

/** How a near miss's `got` follows from what failed. */
function gotVerb(failed: NearMiss['failed']): string {
  switch (failed) {
    case 'namespace':
      return 'peer is in';
    case 'pod':
      return 'peer has';
    case 'ipBlock':
      return 'peer is';
    case 'protocol':
    case 'port':
      return 'flow goes to';
    default:
      return unreachable(failed);
  }
}

/** A near miss: `api-allow ingress[0]: label role=frontend wanted, peer has role=front`. */
function describeNearMiss(nearMiss: NearMiss, direction: Verdict['direction']): string {
  const { policy, rule, failed, wanted, got } = nearMiss;
  return `${policy.name} ${direction}[${rule}]: ${wanted} wanted, ${gotVerb(failed)} ${got}`;
}

/** Why a verdict is what it is, without the flow: `isolated by shop/api-allow; nearest rule ...`. */
export function describeReason(verdict: Verdict): string {
  const { direction, reason } = verdict;
  switch (reason) {
    case 'not-isolated':
      return `no policy isolates the pod for ${direction}`;
    case 'self':
      return 'a pod always reaches itself';
    case 'own-node':
      return 'traffic between a pod and its own node is always allowed';
    case 'not-a-pod':
      return `${direction === 'ingress' ? 'the destination' : 'the source'} is not a pod that policy can select`;
    case 'rule':
      return `rule ${formatPolicy(verdict.policy)} ${direction}[${verdict.rule}]`;
    case 'no-table':
      return 'no table has arrived yet';
    case 'no-rule': {
      const isolated = `isolated by ${verdict.isolating.map(formatPolicy).join(', ')}`;
      if (verdict.nearMiss === undefined) return isolated;
      return `${isolated}; nearest rule ${describeNearMiss(verdict.nearMiss, direction)}`;
    }
    default:
      return unreachable(reason);
  }
}

/**
 * A flow and its verdict in one sentence: `Ingress from shop/web (10.1.2.3) to TCP/8080 denied: isolated by
 * shop/api-allow; nearest rule api-allow ingress[0]: label role=frontend wanted, peer has role=front`.
 */
export function describeFlow(verdict: Verdict, parties: FlowParties): string {
  const port = `${parties.protocol}/${parties.port}`;
  const peer = formatPeer(parties.peer);
  const flow =
    verdict.direction === 'ingress' ? `Ingress from ${peer} to ${port}` : `Egress to ${peer} on ${port}`;
  return `${flow} ${verdict.verdict === 'allow' ? 'allowed' : 'denied'}: ${describeReason(verdict)}`;
}
