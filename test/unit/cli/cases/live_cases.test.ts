/** `sluice test` of a cluster: the engine judges its objects, and no packet is sent. The API's stand-in is the cluster. */
import { expect, test } from 'vitest';
import { pod } from '../../../builders/cli_manifests.ts';
import { namespace, policy } from '../../../builders/manifests.ts';
import type { ApiServer } from '../../../support/api_server/api_server.ts';
import { liveCluster } from '../support/live_cluster.ts';
import { runSluice } from '../support/sluice_process.ts';
import { caseFile } from './cases_files.ts';

/** @returns the kubeconfig; its context is in namespace shop */
async function cluster(): Promise<{ readonly api: ApiServer; readonly kubeconfig: string }> {
  const { api, kubeconfig } = await liveCluster({
    contexts: { 'in-shop': 'shop' },
    authorize: (_, verb, { namespace: where, resource }) =>
      resource.plural === 'namespaces' ? verb === 'get' : where === 'shop',
  });
  for (const name of ['shop', 'other']) await api.create(namespace(name));
  await api.apply(pod('shop/api-1', { labels: { app: 'api' }, ip: '10.1.0.1' }));
  await api.apply(pod('shop/web-1', { labels: { app: 'web' }, ip: '10.1.0.2' }));
  await api.create(
    policy('shop/api', {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
    }),
  );
  return { api, kubeconfig };
}

test('a user who may read one namespace only tests it, with the namespace of the context', async () => {
  const { api, kubeconfig } = await cluster();
  const file = caseFile(`tests:
- {from: web-1, to: "api-1:8080", expect: allow}
- {from: api-1, to: "shop/web-1:80", expect: deny}
`);
  const { code, stdout } = await runSluice(['test', '-f', file, '--kubeconfig', kubeconfig]);
  expect(stdout).toContain('ok 1 web-1 -> api-1:8080 allow (shop/api ingress[0])\n');
  expect(stdout).toContain('not ok 2 api-1 -> shop/web-1:80 wanted deny, got allow\n');
  expect(code).toBe(1);
  const pods = api.requests.filter(({ path }) => path.endsWith('/pods')).map(({ path }) => path);
  expect(pods).toEqual(['/api/v1/namespaces/shop/pods']);
});

test('a right that is missing is an error that names it', async () => {
  const { kubeconfig } = await cluster();
  const file = caseFile('namespace: other\ntests: [{from: a, to: "b:80", expect: deny}]\n');
  const { code, stdout, stderr } = await runSluice(['test', '-f', file, '--kubeconfig', kubeconfig]);
  expect(stderr).toContain('may not list');
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
});
