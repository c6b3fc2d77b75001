/** Ends as JSON, the same for `diff` and `graph`. */
import type { ComparedEnd } from './compared_ends.ts';

/** Pods that are named of one end; the rest is a number. */
const MAX_PODS = 20;

/** Plain data for `JSON.stringify`. */
export function endJson(end: ComparedEnd) {
  if (end.kind === 'network') return { kind: end.kind, name: end.name, blocks: end.blocks };
  if (end.kind === 'candidate') return { kind: end.kind, name: end.name };
  const { kind, name, namespace, workload, pods } = end;
  return {
    kind,
    name,
    namespace,
    workload,
    pods: pods.slice(0, MAX_PODS),
    ...(pods.length > MAX_PODS ? { more_pods: pods.length - MAX_PODS } : {}),
  };
}
