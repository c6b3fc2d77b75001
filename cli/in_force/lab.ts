/** What the sidecars of a lab have in force: its injector knows. */
import { objectKey } from '../../policy/index.ts';
import { type InForce, notKnown, type PodState } from './in_force.ts';

/** @throws SluiceError `LAB_NOT_FOUND` */
export async function labStates(name: string): Promise<InForce> {
  const { labStatus } = await import('../../lab/index.ts');
  const { injectorAnswers, pods } = await labStatus(name, true);
  if (!injectorAnswers)
    return notKnown(`the injector of lab ${name} does not answer, and each sidecar keeps what it has`);
  const states = new Map(
    pods.map(({ pod, inForce, revision, enforcedRevision, sidecar }): [string, PodState] => {
      if (sidecar.state === 'dead')
        return [pod, { state: 'not-in-force', why: 'its sidecar does not run', cause: 'dead' }];
      if (!inForce)
        return [
          pod,
          {
            state: 'not-in-force',
            why: `its sidecar has ${enforcedRevision ? `revision ${enforcedRevision}` : 'nothing'}, and ${revision} is current`,
          },
        ];
      return [pod, { state: 'in-force', ...(revision === null ? {} : { revision }) }];
    }),
  );
  return {
    known: true,
    stateOf: ({ pod }) =>
      states.get(objectKey(pod.namespace, pod.name)) ?? {
        state: 'not-in-force',
        why: 'the lab runs no such pod',
      },
  };
}
