/** Flows in words: their ends, their ports, and the rule that they are about. */
import type { ObservedEnd, ObservedFlow } from '../../flows/index.ts';
import { OTHER_PEERS } from '../../flows/index.ts';
import { clockText } from '../times.ts';

/** `shop/web`: without its kind, which people seldom need. */
export function shortEnd(end: ObservedEnd): string {
  const { kind, namespace, workload } = end;
  if (kind !== 'workload' || workload === undefined) return fullEnd(end);
  return `${namespace}/${workload.slice(workload.indexOf('/') + 1)}`;
}

/** `shop/deploy/web`, as other commands take it; `node/n1`, an address. Of ends that were put together what they have in common. */
export function fullEnd({ kind, namespace, workload, address }: ObservedEnd): string {
  if (kind === 'node') return `node/${workload ?? '*'}`;
  if (address !== undefined) return address === OTHER_PEERS ? 'other addresses' : address;
  if (namespace === undefined) return kind === 'external' ? 'addresses outside' : '*';
  return `${namespace}/${workload ?? '*'}`;
}

/** `TCP/8080`; `TCP/*` of several ports. */
export function portText({ protocol, port }: Pick<ObservedFlow, 'protocol' | 'port'>): string {
  return `${protocol}/${port === 0 ? '*' : port}`;
}

/** How each outcome is written, and its colour. */
export const OUTCOME_WORDS = {
  allow: { word: 'allowed', format: 'green' },
  deny: { word: 'denied', format: 'red' },
  cut: { word: 'cut', format: 'red' },
  audit: { word: 'audit', format: 'yellow' },
} as const satisfies Record<ObservedFlow['outcome'], object>;

/** Of a cut the change that ended the flow; the rule that admitted, or the nearest and what it lacks; else what isolates; else the reason. */
export function ruleText(flow: ObservedFlow): string {
  const { outcome, policy, rule, near = [], isolating = [], reason } = flow;
  const name = nameIn(subjectNamespace(flow));
  if (flow.change !== undefined) return `by ${changeText(flow.change, name)}`;
  if (outcome === 'allow' || near.length === 0) {
    if (policy !== undefined && rule !== undefined) return `${name(policy)}[${rule}]`;
    if (isolating.length > 0) return `isolated by ${isolating.map(name).join(', ')}`;
    return reason === 'not-isolated' ? 'not isolated' : reason;
  }
  const [nearest] = near;
  const more = near.length > 1 ? ` (and ${near.length - 1} more)` : '';
  return nearest === undefined
    ? reason
    : `${name(nearest.policy)}[${nearest.rule}]: ${nearest.lacks.join(', ')}${more}`;
}

/** `shop/scrape gen 4 (kubectl-apply, 23:39:42)`; of other objects than policies `Pod shop/web-1 (23:39:42)`. */
export function changeText(
  { kind, namespace, name, generation, manager, at, deleted }: NonNullable<ObservedFlow['change']>,
  named: (key: string) => string = (key) => key,
): string {
  const key = named(namespace === undefined ? name : `${namespace}/${name}`);
  const isPolicy = kind === 'NetworkPolicy';
  const version = deleted === true ? ' deleted' : generation === undefined ? '' : ` gen ${generation}`;
  const by = manager === undefined ? '' : `${manager}, `;
  return `${isPolicy ? '' : `${kind} `}${key}${version} (${by}${clockText(Date.parse(at))})`;
}

/** Of the pod that was judged: policies of its namespace are written without theirs. */
function subjectNamespace({ direction, src, dst }: ObservedFlow): string | undefined {
  return (direction === 'ingress' ? dst : src).namespace;
}

function nameIn(namespace: string | undefined): (policy: string) => string {
  return (policy) =>
    namespace !== undefined && policy.startsWith(`${namespace}/`)
      ? policy.slice(namespace.length + 1)
      : policy;
}
