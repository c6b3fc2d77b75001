/** Which API server, with which credentials: from the pod that the injector runs in, or from a kubeconfig file. */
import { KubeConfig } from '@kubernetes/client-node';
import { firstLineOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';

/** Says that the injector runs in the cluster whose policies it is to enforce. */
const IN_CLUSTER = 'in-cluster';

/**
 * @param from `IN_CLUSTER`, or the path of a kubeconfig file, whose current context counts
 * @throws SluiceError `CONFIG_INVALID`
 */
export function loadKubeConfig(from: string, env: Readonly<Record<string, string | undefined>>): KubeConfig {
  const config = new KubeConfig();
  if (from === IN_CLUSTER) {
    if (!env.KUBERNETES_SERVICE_HOST) {
      const message = `SLUICE_KUBERNETES is '${IN_CLUSTER}', but this is no pod: KUBERNETES_SERVICE_HOST is not set; give the path of a kubeconfig file`;
      throw new SluiceError('CONFIG_INVALID', message);
    }
    config.loadFromCluster();
    return config;
  }
  try {
    config.loadFromFile(from);
  } catch (cause) {
    // Without the lines of the file that the YAML reader quotes: there may be a token in them.
    const why = firstLineOf(cause);
    throw new SluiceError(
      'CONFIG_INVALID',
      `SLUICE_KUBERNETES: ${from} is no usable kubeconfig file: ${why}`,
      {
        cause,
      },
    );
  }
  if (!config.getCurrentCluster()?.server.startsWith('https://'))
    throw new SluiceError(
      'CONFIG_INVALID',
      `SLUICE_KUBERNETES: the current context of ${from} has no https server`,
    );
  return config;
}
