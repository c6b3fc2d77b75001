/** Opens the sidecars that the flags name. */
import type { ReadContext } from '../../input/index.ts';
import type { LiveChoice } from '../flow_flags.ts';
import type { SidecarPods } from './sidecar_pods.ts';

/**
 * What a lab or a cluster needs is loaded only where it is used.
 * @returns also the namespace that is meant; undefined: all
 * @throws SluiceError `LAB_NOT_FOUND`, `KUBECONFIG_UNUSABLE`, `CLUSTER_UNREADABLE`, `RIGHT_MISSING`
 */
export async function openSidecars(
  choice: LiveChoice,
  context: ReadContext,
): Promise<SidecarPods & { readonly namespace?: string }> {
  if (choice.kind === 'lab') {
    const { labPods } = await import('./lab_pods.ts');
    return {
      ...(await labPods(choice.lab, context)),
      ...(choice.namespace === undefined ? {} : { namespace: choice.namespace }),
    };
  }
  const { clusterPods } = await import('./cluster_pods.ts');
  const { namespace, ...sidecars } = await clusterPods(choice, context);
  return { ...sidecars, ...(choice.allNamespaces ? {} : { namespace }) };
}
