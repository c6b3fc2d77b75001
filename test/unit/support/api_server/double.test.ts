/** What the API-server double does beyond an API server: strict types, and a life as a process of its own. */
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { namespace } from '../../../builders/manifests.ts';
import { pod } from '../../../builders/stored_objects.ts';
import { ApiProcess } from '../../../support/api_server/api_process.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';

let server: ApiServer;

beforeEach(async () => {
  server = await ApiServer.start();
  await server.create(namespace('shop'));
});

afterEach(() => server.close());

test('what is not of the published type is refused with its field', async () => {
  const wrong = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'p', namespace: 'shop' },
  };
  await expect(server.create({ ...wrong, spec: { podSelektor: {} } })).rejects.toThrow(
    'spec.podSelektor: unknown field of V1NetworkPolicySpec',
  );
  await expect(
    server.create({ ...wrong, spec: { podSelector: { matchLabels: { app: 1 } } } }),
  ).rejects.toThrow('spec.podSelector.matchLabels[app]: wants a text');
});

test('as a process of its own it takes orders and is asked over the network', async () => {
  const other = await ApiProcess.start();
  try {
    await other.apply(namespace('far'), pod('far', 'a'));
    const config = new KubeConfig();
    config.loadFromString(JSON.stringify(other.kubeconfig));
    const { items } = await config.makeApiClient(CoreV1Api).listPodForAllNamespaces();
    expect(items.map((item) => item.metadata?.name)).toEqual(['a']);
    expect((await other.requests()).at(-1)).toMatchObject({ path: '/api/v1/pods' });
  } finally {
    await other.close();
  }
});
