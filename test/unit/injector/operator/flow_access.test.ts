/** Who sees which flows, in the API-server double. */
import { clientOf } from '../../../builders/stored_objects.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { rbacAllows } from '../../../support/api_server/rbac.ts';
import { SELF_REVIEW } from '../../../support/api_server/resources.ts';
import { accountUser, flowAccessScenarios } from '../../../support/kubernetes/flow_access_scenarios.ts';

let server: ApiServer;

flowAccessScenarios(
  async () => {
    server = await ApiServer.start({
      authorize: (user, verb, { resource, subresource, namespace, name }) =>
        resource === SELF_REVIEW ||
        rbacAllows(server.api.store, user, {
          verb,
          group: resource.group,
          resource: subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`,
          ...(namespace === undefined ? {} : { namespace }),
          ...(name === undefined ? {} : { name }),
        }),
    });
    return { config: clientOf(server), host: '127.0.0.1', close: () => server.close() };
  },
  async (cluster, port) => {
    await cluster.create({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'sluice-injector',
        namespace: 'sluice-system',
        labels: { 'kubernetes.io/service-name': 'sluice-injector' },
      },
      ...{ addressType: 'IPv4', ports: [{ name: 'operator', port, protocol: 'TCP' }] },
      ...{ endpoints: [{ addresses: [cluster.host], conditions: { ready: true } }] },
    });
  },
  { token: accountUser },
);
