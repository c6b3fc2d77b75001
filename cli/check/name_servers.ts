/** Reads a cluster's name servers: the Services, their endpoints, the pods behind them and the labels of their namespaces. */
import { CoreV1Api, DiscoveryV1Api, type KubeConfig, type V1Service } from '@kubernetes/client-node';
import { FORBIDDEN, hasCode, ifThere, within } from '../../injector/api/index.ts';
import { type Cluster, DNS_SERVICES, SERVICE_NAME_LABEL } from '../../policy/index.ts';
import { clusterOf, readDocument } from '../../sources/index.ts';
import type { NamespaceContent } from './files.ts';

const CALL_TIMEOUT_MS = 10_000;

/** Objects asked for: name servers are a few pods. */
const LIMIT = 500;

/** What is not there, or may not be read, is left out: then less is known, and nothing wrong. */
export async function readNameServers(
  config: KubeConfig,
  contents: readonly NamespaceContent[],
): Promise<Cluster> {
  const core = config.makeApiClient(CoreV1Api);
  const discovery = config.makeApiClient(DiscoveryV1Api);
  const items: object[] = [];
  const add = (apiVersion: string, kind: string, object: object | undefined): void => {
    if (object !== undefined) items.push({ ...object, apiVersion, kind }); // in a list the API leaves these out
  };
  for (const { namespace } of contents)
    add('v1', 'Namespace', { metadata: { name: namespace.name, labels: namespace.labels } });
  for (const key of DNS_SERVICES) {
    const [namespace = '', name = ''] = key.split('/');
    const options = within(CALL_TIMEOUT_MS);
    const service = await readable(ifThere(core.readNamespacedService({ namespace, name }, options)));
    if (service === undefined) continue;
    add('v1', 'Service', service);
    add('v1', 'Namespace', await readable(core.readNamespace({ name: namespace }, options)));
    const slices = await readable(
      discovery.listNamespacedEndpointSlice(
        { namespace, labelSelector: `${SERVICE_NAME_LABEL}=${name}`, limit: LIMIT },
        options,
      ),
    );
    for (const slice of slices?.items ?? []) add('discovery.k8s.io/v1', 'EndpointSlice', slice);
    for (const pod of await podsBehind(core, namespace, service)) add('v1', 'Pod', pod);
  }
  return clusterOf(readDocument(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), 1).objects);
}

async function podsBehind(core: CoreV1Api, namespace: string, { spec }: V1Service) {
  const labelSelector = Object.entries(spec?.selector ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  if (labelSelector === '') return [];
  const options = within(CALL_TIMEOUT_MS);
  const pods = await readable(core.listNamespacedPod({ namespace, labelSelector, limit: LIMIT }, options));
  return pods?.items ?? [];
}

/** Undefined where one may not read it. */
async function readable<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (hasCode(error, FORBIDDEN)) return undefined;
    throw error;
  }
}
