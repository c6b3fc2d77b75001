/** Reads a cluster's name servers: the Services, their endpoints, the pods behind them and the labels of their namespaces. */
import { ifThere, type RawObject } from '../../injector/api/index.ts';
import { type Cluster, DNS_SERVICES, SERVICE_NAME_LABEL } from '../../policy/index.ts';
import { clusterOf, readDocument } from '../../sources/index.ts';
import type { NamespaceContent } from './files.ts';
import { published } from './published.ts';
import { type Reader, readable } from './reading.ts';

/** What is not there, or may not be read, is left out: then less is known, and nothing wrong. */
export async function readNameServers(
  { lister, RESOURCES }: Reader,
  contents: readonly NamespaceContent[],
): Promise<Cluster> {
  const items: object[] = contents.map(({ namespace: { name, labels } }) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels },
  }));
  const behind = async (service: RawObject, namespace: string): Promise<readonly RawObject[]> => {
    const labelSelector = Object.entries(published('Service', service).spec?.selector ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(',');
    if (labelSelector === '') return [];
    return (await readable(lister.list(RESOURCES.pods, { namespace, labelSelector }))) ?? [];
  };
  for (const key of DNS_SERVICES) {
    const [namespace = '', name = ''] = key.split('/');
    const service = await readable(ifThere(lister.get(RESOURCES.services, name, namespace)));
    if (service === undefined) continue;
    const own = await readable(lister.get(RESOURCES.namespaces, namespace));
    const labelSelector = `${SERVICE_NAME_LABEL}=${name}`;
    const slices = await readable(lister.list(RESOURCES.slices, { namespace, labelSelector }));
    items.push(service, ...(own === undefined ? [] : [own]), ...(slices ?? []));
    items.push(...(await behind(service, namespace)));
  }
  return clusterOf(readDocument(JSON.stringify({ apiVersion: 'v1', kind: 'List', items }), 1).objects);
}
