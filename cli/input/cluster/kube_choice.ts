/** Which cluster is meant, by kubectl's rules: the flags, KUBECONFIG, `~/.kube/config`, the pod's own account. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { firstLineOf } from '../../../common/errno.ts';
import { SluiceError } from '../../../common/errors.ts';
import { readKubeConfig } from '../../../injector/api/index.ts';
import { didYouMean } from '../../likeness.ts';

/** A cluster, with the user who asks it. */
export interface ClusterTarget {
  readonly config: KubeConfig;
  readonly context: string;
  readonly server: string;
  /** Of the context; `default` where it names none. */
  readonly namespace: string;
}

/** The flags that choose. */
export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** The account that a pod has. Source: Kubernetes, "Accessing the Kubernetes API from a Pod". */
const POD_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** @throws SluiceError `KUBECONFIG_UNUSABLE` */
export function chooseCluster(
  { kubeconfig, context }: ClusterFlags,
  env: Readonly<Record<string, string | undefined>> = process.env,
): ClusterTarget {
  const config = loadConfig(kubeconfig, env);
  const contexts = config.getContexts().map(({ name }) => name);
  const listed = contexts.length === 0 ? 'it has none' : `it has ${contexts.join(', ')}`;
  const name = context ?? config.getCurrentContext();
  if (!name)
    throw unusable(`the kubeconfig has no current context: give --context (${listed}), or manifests with -f`);
  if (!contexts.includes(name))
    throw unusable(`the kubeconfig has no context ${name}${didYouMean(name, contexts) || `; ${listed}`}`);
  config.setCurrentContext(name);
  const server = config.getCurrentCluster()?.server;
  if (server === undefined)
    throw unusable(`context ${name} of the kubeconfig names a cluster that it does not have`);
  if (!server.startsWith('https://'))
    throw unusable(`context ${name} has the server ${server}: only https will do`);
  const namespace = config.getContextObject(name)?.namespace || 'default';
  return { config, context: name, server, namespace };
}

/** Names of all contexts, for completion. @throws SluiceError `KUBECONFIG_UNUSABLE` */
export function contextNames(
  kubeconfig?: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): readonly string[] {
  return loadConfig(kubeconfig, env)
    .getContexts()
    .map(({ name }) => name);
}

function loadConfig(
  kubeconfig: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): KubeConfig {
  const named =
    kubeconfig === undefined ? env.KUBECONFIG?.split(delimiter).filter((path) => path !== '') : [kubeconfig];
  const paths =
    named === undefined || named.length === 0 ? [join(env.HOME || homedir(), '.kube', 'config')] : named;
  // Of several kubectl passes over those that are not there.
  const found = kubeconfig === undefined ? paths.filter((path) => existsSync(path)) : paths;
  if (found.length === 0 && (!existsSync(POD_TOKEN) || !env.KUBERNETES_SERVICE_HOST))
    throw unusable(
      `no kubeconfig was found: ${env.KUBECONFIG ? `KUBECONFIG is ${env.KUBECONFIG}` : `there is no ${paths[0]}, and KUBECONFIG is not set`}; ` +
        'give --kubeconfig FILE, or manifests with -f PATH',
    );
  try {
    return readKubeConfig(found);
  } catch (cause) {
    throw unusable(`the kubeconfig ${found.join(delimiter)} cannot be read: ${firstLineOf(cause)}`, cause);
  }
}

function unusable(message: string, cause?: unknown): SluiceError {
  return new SluiceError('KUBECONFIG_UNUSABLE', message, { cause });
}
