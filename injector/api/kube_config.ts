/** Which API server, with which credentials: from the pod that the injector runs in, or from a kubeconfig file. */
import { KubeConfig } from '@kubernetes/client-node';
import { firstLineOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';

/** Says that the injector runs in the cluster whose policies it is to enforce. */
const IN_CLUSTER = 'in-cluster';

/**
 * The one reader of kubeconfig files, of commands too. Of several the first that has something counts, as for kubectl.
 * @param paths none: the account of the pod that this runs in
 * @throws Error of one line, without the lines of the file that the YAML reader quotes: there may be a token in them
 */
export function readKubeConfig(paths: readonly string[]): KubeConfig {
  const config = new KubeConfig();
  try {
    const [first, ...others] = paths;
    if (first === undefined) config.loadFromCluster();
    else config.loadFromFile(first);
    for (const path of others) {
      const more = new KubeConfig();
      more.loadFromFile(path);
      config.mergeConfig(more);
    }
  } catch (cause) {
    throw new Error(firstLineOf(cause), { cause });
  }
  return config;
}

/**
 * @param from `IN_CLUSTER`, or the path of a kubeconfig file, whose current context counts
 * @throws SluiceError `CONFIG_INVALID`
 */
export function loadKubeConfig(from: string, env: Readonly<Record<string, string | undefined>>): KubeConfig {
  if (from === IN_CLUSTER) {
    if (!env.KUBERNETES_SERVICE_HOST) {
      const message = `SLUICE_KUBERNETES is '${IN_CLUSTER}', but this is no pod: KUBERNETES_SERVICE_HOST is not set; give the path of a kubeconfig file`;
      throw new SluiceError('CONFIG_INVALID', message);
    }
    return readKubeConfig([]);
  }
  const config = readFrom(from);
  if (!config.getCurrentCluster()?.server.startsWith('https://'))
    throw new SluiceError(
      'CONFIG_INVALID',
      `SLUICE_KUBERNETES: the current context of ${from} has no https server`,
    );
  return config;
}

function readFrom(file: string): KubeConfig {
  try {
    return readKubeConfig([file]);
  } catch (cause) {
    throw new SluiceError(
      'CONFIG_INVALID',
      `SLUICE_KUBERNETES: ${file} is no usable kubeconfig file: ${firstLineOf(cause)}`,
      { cause },
    );
  }
}
