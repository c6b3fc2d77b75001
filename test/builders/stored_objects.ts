/** Builders for the tests of the double. */
import { KubeConfig } from '@kubernetes/client-node';
import type { ApiServer } from '../support/api_server/api_server.ts';

export const pod = (namespace: string, name: string, labels: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace, name, labels },
  spec: { containers: [{ name: 'app', image: 'app' }] },
});

/** The published client, talking to a double. */
export function clientOf(server: ApiServer, token?: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromString(JSON.stringify(server.kubeconfig(token)));
  return config;
}
