/** The API's stand-in over HTTPS, and the kubeconfig file by which a command finds it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';

/** What may be different. */
export interface LiveClusterOptions {
  /** Contexts of the file, with their namespaces: the first is the current one. One without a namespace, if none is named. */
  readonly contexts?: Readonly<Record<string, string | undefined>>;
  /** What a user may do; all, if it is not given. */
  readonly authorize?: NonNullable<Parameters<typeof ApiServer.start>[0]>['authorize'];
}

/** A cluster that runs until the test is over. */
export async function liveCluster({
  contexts = { double: undefined },
  authorize,
}: LiveClusterOptions = {}): Promise<{ readonly api: ApiServer; readonly kubeconfig: string }> {
  const api = await ApiServer.start(authorize === undefined ? {} : { authorize });
  onTestFinished(() => api.close());
  const kubeconfig = join(temporaryDirectory(), 'kubeconfig');
  const [current] = Object.keys(contexts);
  const file = {
    ...api.kubeconfig(),
    contexts: Object.entries(contexts).map(([name, namespace]) => ({
      name,
      context: { cluster: 'double', user: 'user', ...(namespace === undefined ? {} : { namespace }) },
    })),
    'current-context': current,
  };
  writeFileSync(kubeconfig, JSON.stringify(file));
  return { api, kubeconfig };
}
