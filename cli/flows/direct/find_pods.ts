/** Which pods are meant. */
import { SluiceError } from '../../../common/errors.ts';
import { objectKey } from '../../../policy/index.ts';
import { didYouMean } from '../../likeness.ts';
import { type AskedEnd, askedEnds } from '../asked_end.ts';
import type { SidecarPod, SidecarPods } from './sidecar_pods.ts';

/**
 * The pods of a workload, or one pod.
 * @param text as people write it: `po/x`, `deploy/x`, `shop/web`
 * @param namespace of names without one; undefined: they may be in any
 * @throws SluiceError `USAGE`, `NAME_UNKNOWN` also for pods without a sidecar
 */
export function findPods(
  sidecars: SidecarPods,
  text: string,
  namespace: string | undefined,
): readonly SidecarPod[] {
  const ends = askedEnds(text, namespace, 'the name');
  const isMeant = (pod: SidecarPod): boolean =>
    ends.some(
      (end) =>
        (end.namespace === undefined || end.namespace === pod.namespace) &&
        (end.workload === undefined || [pod.workload, `pod/${pod.name}`].includes(end.workload)) &&
        end.address === undefined,
    );
  const found = sidecars.pods.filter(isMeant);
  if (found.length > 0) return found;
  const bare = [...new Set(sidecars.names.values())].filter(isMeant);
  if (bare[0] !== undefined)
    throw new SluiceError(
      'NAME_UNKNOWN',
      `${objectKey(bare[0].namespace, bare[0].name)} has no sidecar that runs: nothing is known of its connections`,
    );
  const names = sidecars.pods.flatMap((pod) => {
    const kindless = pod.workload.slice(pod.workload.indexOf('/') + 1);
    return [
      pod.workload,
      `pod/${pod.name}`,
      `${pod.namespace}/${pod.workload}`,
      kindless,
      `${pod.namespace}/${kindless}`,
    ];
  });
  throw new SluiceError(
    'NAME_UNKNOWN',
    `${sidecars.where} has no pod or workload ${text} with a sidecar${didYouMean(wantedName(text, ends), new Set(names))}`,
  );
}

/** As the names are written that it is compared with: `po/x` is `pod/x`. */
function wantedName(text: string, ends: readonly AskedEnd[]): string {
  const [end, another] = ends;
  if (end?.workload === undefined || another !== undefined) return text;
  return text.split('/').length === 3 ? `${end.namespace}/${end.workload}` : end.workload;
}
