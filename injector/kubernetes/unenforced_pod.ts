/** Whether a pod has what injection adds. The annotation would say so, but anybody who makes a pod may write that. */
import {
  REDIRECT_BY_SIDECAR,
  REDIRECT_CONTAINER,
  REDIRECT_SETTING,
  SIDECAR_CONTAINER,
} from '../../common/contract.ts';
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
  if (redirectsItself(init[0])) return undefined;
  const native = init.find(isSidecar);
  const isRedirected = field(init[0], 'name') === REDIRECT_CONTAINER;
  const hasSidecar = field(native, 'restartPolicy') === 'Always' || containers.some(isSidecar);
  if (isRedirected && hasSidecar) return undefined;
  return { optsOut: pod.metadata.annotations?.[OPT_OUT_ANNOTATION] === OPT_OUT_VALUE };
}

/**
 * A native sidecar that puts the redirect in force. Those of earlier injectors come second, after a step that does it. Of settings of
 * the same name a process gets the last; all of them have to say so.
 */
function redirectsItself(first: unknown): boolean {
  const settings = list(field(first, 'env')).filter((one) => field(one, 'name') === REDIRECT_SETTING);
  const isItsTask =
    settings.length > 0 && settings.every((one) => field(one, 'value') === REDIRECT_BY_SIDECAR);
  return isSidecar(first) && field(first, 'restartPolicy') === 'Always' && isItsTask;
}

function isSidecar(container: unknown): boolean {
  return field(container, 'name') === SIDECAR_CONTAINER;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
