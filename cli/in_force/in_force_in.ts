/** How far pods of an input are. */
import { unreachable } from '../../common/errors.ts';
import type { Input } from '../input/index.ts';
import { type InForce, notKnown } from './in_force.ts';

/** What labs and clusters need is loaded only where it is used. @throws SluiceError `LAB_NOT_FOUND` */
export async function inForceIn({ origin, manifests }: Input): Promise<InForce> {
  switch (origin.kind) {
    case 'files':
      return notKnown('files say what is to be enforced, not what sidecars have');
    case 'lab':
      return await (await import('./lab.ts')).labStates(origin.lab);
    case 'cluster':
      return (await import('./cluster.ts')).clusterStates(manifests);
    default:
      return unreachable(origin);
  }
}
