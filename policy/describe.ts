/** A verdict in one sentence, for logs, events and terminals. */

import { unreachable } from '../common/errors.ts';
import { firstFew } from '../common/first_few.ts';
import type { Protocol } from './model.ts';
import type { FailedTest, PolicyRef, RuleMiss, Verdict } from './verdict.ts';

/** One end of a flow: the pod that has the address, where one does, else the address. */
interface DescribedEnd {
  readonly address?: string | undefined;
  readonly identity?: { readonly namespace: string; readonly name: string } | undefined;
}

/** The flow that a verdict is about. */
export interface DescribedEnds {
  readonly source: DescribedEnd;
  readonly destination: DescribedEnd;
  /** The Service that the source asked for, where that is known. */
  readonly service?: { readonly namespace: string; readonly name: string } | undefined;
  readonly protocol: Protocol;
  /** Of the destination. */
  readonly port: number;
}

/** Policies that a sentence names as isolating; more are only counted. */
const MAX_LISTED = 8;

function formatName({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

function formatEnd({ address, identity }: DescribedEnd): string {
  if (identity !== undefined) return formatName(identity);
  return address === undefined || address === '' ? 'an unknown address' : address;
}

function formatPolicies(policies: readonly PolicyRef[]): string {
  return firstFew(policies.slice(0, MAX_LISTED + 1).map(formatName), MAX_LISTED, policies.length);
}

/** How a test's `got` follows from what failed. */
function gotVerb(failed: FailedTest['failed']): string {
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

/** A test that failed: `label role=frontend wanted, peer has role=front`. */
export function describeTest({ failed, wanted, got }: FailedTest): string {
  return `${wanted} wanted, ${gotVerb(failed)} ${got}`;
}

/** What may have been meant: `the same value is under app.kubernetes.io/name`. Undefined where nothing is known of it. */
export function describeHint({ meant, failed }: FailedTest): string | undefined {
  if (meant === undefined) return undefined;
  switch (meant.kind) {
    case 'value':
      return `is ${meant.value} meant?`;
    case 'key':
      return `the same value is under ${meant.key}`;
    case 'target-port':
      return `that is the Service's ${failed}, and policies see the pod's`;
    default:
      return unreachable(meant);
  }
}

/** A rule that came near, by the first of its tests that failed: `api-allow ingress[0]: label role=frontend wanted, peer has role=front`. */
function describeMiss({ policy, direction, rule, tests }: RuleMiss): string {
  return `${policy.name} ${direction}[${rule}]: ${describeTest(tests[0])}`;
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
      return `rule ${formatName(verdict.policy)} ${direction}[${verdict.rule}]`;
    case 'no-table':
      return 'no table has arrived yet';
    case 'no-rule': {
      const isolated = `isolated by ${formatPolicies(verdict.isolating)}`;
      const [nearest] = verdict.near ?? [];
      return nearest === undefined ? isolated : `${isolated}; nearest rule ${describeMiss(nearest)}`;
    }
    default:
      return unreachable(reason);
  }
}

/**
 * A flow and its verdict in one sentence: `shop/web -> shop/api-0 (Service shop/api) TCP/8080 denied at ingress: isolated by
 * shop/api-allow; nearest rule api-allow ingress[0]: label role=frontend wanted, peer has role=front`.
 */
export function describeFlow(verdict: Verdict, ends: DescribedEnds): string {
  const { source, destination, service, protocol, port } = ends;
  const to = `${formatEnd(destination)}${service === undefined ? '' : ` (Service ${formatName(service)})`}`;
  const word = verdict.verdict === 'allow' ? 'allowed' : 'denied';
  const flow = `${formatEnd(source)} -> ${to} ${protocol}/${port}`;
  return `${flow} ${word} at ${verdict.direction}: ${describeReason(verdict)}`;
}
