/** Commands that bring a pod's sidecar in force: to be copied into a shell. */
import { SIDECAR_CONTAINER } from '../../common/contract.ts';
import { INJECT_ENABLED, INJECT_LABEL, isEnabled } from '../../injector/admission/index.ts';
import type { Cluster, Pod } from '../../policy/index.ts';
import type { LagCause } from '../in_force/index.ts';
import type { Origin } from '../input/index.ts';

/** Kinds that `kubectl rollout restart` takes, as it names them. */
const RESTARTABLE: readonly string[] = ['deploy', 'sts', 'ds'];

/** Names that a shell takes as they are, as all names of the API are. */
const PLAIN = /^[A-Za-z0-9_./:@%+=,-]+$/;

/** @returns undefined where nothing but waiting helps, or a name is none of the API's */
export function helpFor(origin: Origin, cluster: Cluster): (pod: Pod, cause: LagCause) => string | undefined {
  return (pod, cause) => {
    const command = commandFor(origin, cluster, pod, cause);
    return command?.split(' ').every((word) => PLAIN.test(word) || word === '&&') ? command : undefined;
  };
}

function commandFor(origin: Origin, cluster: Cluster, pod: Pod, cause: LagCause): string | undefined {
  if (origin.kind === 'lab') return cause === 'dead' ? `sluice lab apply --name ${origin.lab}` : undefined;
  const { namespace, name, workload } = pod;
  if (cause !== 'no-sidecar') return `kubectl -n ${namespace} logs ${name} -c ${SIDECAR_CONTAINER}`;
  const own = cluster.namespaces.get(namespace);
  const label =
    own === undefined || isEnabled(own)
      ? ''
      : `kubectl label namespace ${namespace} ${INJECT_LABEL}=${INJECT_ENABLED} && `;
  const [kind = ''] = workload.split('/');
  if (RESTARTABLE.includes(kind)) return `${label}kubectl -n ${namespace} rollout restart ${workload}`;
  // What makes it again, or the next run of a Job, has a sidecar.
  return `${label}kubectl -n ${namespace} delete pod ${name}`;
}
