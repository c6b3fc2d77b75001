/** Pods whose container runtime has no TPROXY. */
import { fieldsOf } from '../../common/shape.ts';
import { error, type Finding } from './finding.ts';
import type { CheckedPod } from './namespace_check.ts';
import { workloadSubject } from './workload.ts';

/** Names that RuntimeClasses of gVisor have. Source: gVisor's and GKE's documentation. */
const SANDBOXES = /gvisor|runsc/i;

/** @param pods of one namespace */
export function checkRuntimes(pods: readonly CheckedPod[]): readonly Finding[] {
  return pods.flatMap(({ workload, pod, object }) => {
    const { runtimeClassName } = fieldsOf(fieldsOf(object).spec);
    if (typeof runtimeClassName !== 'string' || !SANDBOXES.test(runtimeClassName)) return [];
    const subject = workloadSubject(workload);
    const message = `has the RuntimeClass ${runtimeClassName}, whose network has no TPROXY: an injected pod does not start`;
    return [
      {
        ...error('CK104', subject, message),
        of: { workload: subject, ...(pod === undefined ? {} : { pod }) },
      },
    ];
  });
}
