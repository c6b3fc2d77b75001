/** The ValidatingAdmissionPolicies of the default overlay, in force in the API-server double without any webhook. */
import { ApiServer } from '../support/api_server/api_server.ts';
import { guardScenarios } from '../support/kubernetes/guard_scenarios.ts';
import { clientOf } from '../unit/support/api_server/objects.ts';
import { kustomize } from './render.ts';

guardScenarios(async () => {
  const server = await ApiServer.start();
  await server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } });
  for (const object of await kustomize('manifests/overlays/default'))
    if (object.kind.startsWith('ValidatingAdmission')) await server.create({ ...object });
  return { config: clientOf(server), host: '127.0.0.1', close: () => server.close() };
});
