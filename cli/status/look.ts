/** One look at a policy that is waited for: as little as that takes. */
import { firstLineOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import { STATUS_ANNOTATION } from '../../injector/admission/index.ts';
import { ApiClient, ApiFailure, FORBIDDEN, NOT_FOUND } from '../../injector/api/index.ts';
import { objectKey } from '../../policy/index.ts';
import type { CommandContext } from '../command.ts';
import type { LiveChoice } from '../flows/index.ts';
import { liveCluster } from '../input/index.ts';
import { listed } from '../listed.ts';
import { type PolicyStateData, writtenState } from './policy_state.ts';
import type { PolicyTarget } from './policy_target.ts';
import { readStates } from './read_states.ts';

/** Looks again and again. */
export interface Look {
  /**
   * How far the policy is; who lags is not said.
   * @throws SluiceError `NAME_UNKNOWN`, `RIGHT_MISSING`, `CLUSTER_UNREADABLE`, and those of `readStates`
   */
  once(): Promise<PolicyStateData>;
  close(): void;
}

/** Of a lab all that is needed is on this machine; a cluster is asked for the one policy. */
export async function createLook(
  choice: LiveChoice,
  target: PolicyTarget,
  context: CommandContext,
): Promise<Look> {
  if (choice.kind === 'lab')
    return {
      async once() {
        const [found] = (await readStates(choice, target, context)).policies;
        if (found === undefined) throw new SluiceError('NAME_UNKNOWN', `there is no policy ${target.name}`);
        return found;
      },
      close: () => undefined,
    };
  const { chooseCluster, createLister, RESOURCES, rightMissing } = await liveCluster();
  const cluster = chooseCluster(choice);
  const namespace = target.namespace ?? choice.namespace ?? cluster.namespace;
  const name = objectKey(namespace, target.name);
  const client = new ApiClient(cluster.config);
  return {
    async once() {
      try {
        const lister = createLister(client, context);
        const { metadata } = await lister.get(RESOURCES.policies, target.name, namespace);
        const { generation, annotations = {} } = metadata;
        const counts = { selected: 0, enforcing: 0 };
        return {
          name,
          ...(generation === undefined ? {} : { generation }),
          ...writtenState(annotations[STATUS_ANNOTATION], generation, counts),
          lagging: listed([]),
        };
      } catch (cause) {
        context.signal.throwIfAborted();
        if (!(cause instanceof ApiFailure) || (cause.code !== NOT_FOUND && cause.code !== FORBIDDEN))
          throw new SluiceError(
            'CLUSTER_UNREADABLE',
            `${name} of context ${cluster.context} cannot be read: ${firstLineOf(cause)}`,
            { cause },
          );
        if (cause.code === FORBIDDEN)
          throw rightMissing(
            [{ verb: 'get', resource: RESOURCES.policies, namespace }],
            cluster.context,
            'wait in a lab, with --lab',
          );
        throw new SluiceError(
          'NAME_UNKNOWN',
          `the cluster (context ${cluster.context}) has no NetworkPolicy ${name}: sluice status -n ${namespace} lists those that are there`,
        );
      }
    },
    close: () => client.close(),
  };
}
