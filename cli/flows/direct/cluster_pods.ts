/** The sidecars of a cluster's pods, asked by port-forward with the user's own rights. */
import { SIDECAR_CONTAINER, SIDECAR_PORTS } from '../../../common/contract.ts';
import { firstLineOf } from '../../../common/errno.ts';
import { SluiceError } from '../../../common/errors.ts';
import { fieldsOf, itemsOf } from '../../../common/shape.ts';
import { ApiClient, ApiFailure, FORBIDDEN } from '../../../injector/api/index.ts';
import { hasSidecar } from '../../../lint/index.ts';
import { objectKey } from '../../../policy/index.ts';
import { manifestFileOf, manifestsOf, type RawManifest } from '../../../sources/index.ts';
import { liveCluster, type ReadContext } from '../../input/index.ts';
import type { LiveChoice } from '../flow_flags.ts';
import { type SidecarPods, sidecarPod } from './sidecar_pods.ts';

/** The port of the container, by name. Source: injector/admission/injection. */
const ADMIN_PORT_NAME = 'sluice-admin';

/** @throws SluiceError `KUBECONFIG_UNUSABLE`, `CLUSTER_UNREADABLE`, `RIGHT_MISSING` */
export async function clusterPods(
  choice: Extract<LiveChoice, { kind: 'cluster' }>,
  { progress, signal }: ReadContext,
): Promise<SidecarPods & { readonly namespace: string }> {
  const { chooseCluster, createLister, RESOURCES, rightMissing } = await liveCluster();
  const target = chooseCluster(choice);
  const { config, context } = target;
  const namespace = choice.namespace ?? target.namespace;
  const scope = choice.allNamespaces ? {} : { namespace };
  const client = new ApiClient(config);
  try {
    const objects = await createLister(client, { progress, signal }).list(RESOURCES.pods, scope);
    const { cluster, objects: read } = manifestsOf([manifestFileOf('the cluster', objects)]);
    const ports = new Map(
      read.flatMap(({ key, raw }) => (hasSidecar(raw) ? [[key, adminPort(raw)] as const] : [])),
    );
    const { forwardedPage } = await import('./forwarded_page.ts');
    const pods = [...cluster.pods.values()];
    return {
      where: `${choice.allNamespaces ? 'the cluster' : `namespace ${namespace}`} (context ${context})`,
      namespace,
      pods: pods.flatMap((pod) =>
        pod.phase === 'Running' && ports.has(objectKey(pod.namespace, pod.name)) ? [sidecarPod(pod)] : [],
      ),
      names: new Map(
        pods.flatMap((pod) => (pod.hostNetwork ? [] : pod.ips.map((ip) => [ip, sidecarPod(pod)] as const))),
      ),
      page: async (pod, path, until) =>
        await forwardedPage(
          config,
          {
            namespace: pod.namespace,
            pod: pod.name,
            port: ports.get(objectKey(pod.namespace, pod.name)) ?? SIDECAR_PORTS.admin,
            path,
          },
          until,
        ),
    };
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof SluiceError) throw cause;
    if (cause instanceof ApiFailure && cause.code === FORBIDDEN)
      throw rightMissing(
        [{ verb: 'list', resource: RESOURCES.pods, ...scope }],
        context,
        'name a namespace with -n',
      );
    throw new SluiceError(
      'CLUSTER_UNREADABLE',
      `the pods of context ${context} cannot be listed: ${firstLineOf(cause)}`,
      { cause },
    );
  } finally {
    client.close();
  }
}

function adminPort({ spec }: RawManifest): number {
  const { containers, initContainers } = fieldsOf(spec);
  const port = [...itemsOf(initContainers), ...itemsOf(containers)]
    .map(fieldsOf)
    .filter(({ name }) => name === SIDECAR_CONTAINER)
    .flatMap(({ ports }) => itemsOf(ports).map(fieldsOf))
    .find(({ name }) => name === ADMIN_PORT_NAME)?.containerPort;
  return typeof port === 'number' ? port : SIDECAR_PORTS.admin;
}
