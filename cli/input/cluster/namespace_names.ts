/** Names of a cluster's namespaces, for completion. */
import { ApiClient } from '../../../injector/api/index.ts';
import type { ClusterTarget } from './kube_choice.ts';
import { createLister } from './lister.ts';
import { RESOURCES } from './resources.ts';

/** @throws SluiceError `INPUT_TOO_LARGE`, and what the API server answers */
export async function namespaceNames(
  { config }: ClusterTarget,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const client = new ApiClient(config);
  try {
    const progress = { say() {}, end() {} };
    const found = await createLister(client, { progress, signal }).list(RESOURCES.namespaces);
    return found.map(({ metadata }) => metadata.name).sort();
  } finally {
    client.close();
  }
}
