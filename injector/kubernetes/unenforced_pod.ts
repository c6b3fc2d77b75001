/** Whether a pod has what injection adds. The annotation would say so, but anybody who makes a pod may write that. */
import { REDIRECT_CONTAINER, SIDECAR_CONTAINER } from '../../common/contract.ts';
import { OPT_OUT_ANNOTATION, OPT_OUT_VALUE } from '../admission/index.ts';
import { field, type RawObject } from '../api/index.ts';

/** A pod that runs, or is about to, and that no sidecar enforces. */
export interface UnenforcedPod {
  /** It asks to be left out; its namespace decides whether that counts. */
  readonly optsOut: boolean;
}

/** @returns undefined for a pod that is enforced, that has ended, or that policy never selects */
export function unenforcedPod(pod: RawObject): UnenforcedPod | undefined {
  const spec = field(pod, 'spec');
  const phase = field(field(pod, 'status'), 'phase');
  if (field(spec, 'hostNetwork') === true || phase === 'Succeeded' || phase === 'Failed') return undefined;
  const [init, containers] = [list(field(spec, 'initContainers')), list(field(spec, 'containers'))];
  const native = init.find((container) => field(container, 'name') === SIDECAR_CONTAINER);
  const isRedirected = field(init[0], 'name') === REDIRECT_CONTAINER;
  const hasSidecar =
    field(native, 'restartPolicy') === 'Always' ||
    containers.some((container) => field(container, 'name') === SIDECAR_CONTAINER);
  if (isRedirected && hasSidecar) return undefined;
  return { optsOut: pod.metadata.annotations?.[OPT_OUT_ANNOTATION] === OPT_OUT_VALUE };
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
