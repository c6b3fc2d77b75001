/** What the rights and policies of the manifests leave to a stolen token of the injector, in the API-server double. */
import { KubeConfig } from '@kubernetes/client-node';
import { clientOf } from '../builders/stored_objects.ts';
import { ApiServer } from '../support/api_server/api_server.ts';
import { accountScenarios } from '../support/kubernetes/account_scenarios.ts';
import { Authorizer, INJECTOR } from './authorizer.ts';
import { kustomize } from './render.ts';

let server: ApiServer;

accountScenarios(
  async () => {
    const objects = await kustomize('manifests/overlays/default');
    const authorizer = new Authorizer(objects);
    server = await ApiServer.start({
      authorize: ({ username }, verb, place) => username !== INJECTOR || authorizer.allows(verb, place),
    });
    for (const object of [...objects].sort((a) => (a.kind === 'Namespace' ? -1 : 1)))
      if (!['Deployment', 'ServiceAccount'].includes(object.kind)) await server.create({ ...object });
    return { config: clientOf(server), host: '127.0.0.1', close: () => server.close() };
  },
  async () => {
    const token = server.api.tokens.issue({ username: INJECTOR, groups: ['system:authenticated'] });
    const stolen = new KubeConfig();
    stolen.loadFromString(JSON.stringify(server.kubeconfig(token)));
    return stolen;
  },
);
