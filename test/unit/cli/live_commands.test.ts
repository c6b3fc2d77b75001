/** Live commands of users of few rights, and of an administrator, against the API server's stand-in. */
import { clientOf } from '../../builders/stored_objects.ts';
import { ApiServer } from '../../support/api_server/api_server.ts';
import { boundRights } from '../../support/api_server/bound_rights.ts';
import { commandScenarios } from '../../support/kubernetes/command_scenarios.ts';

commandScenarios(async () => {
  const server: ApiServer = await ApiServer.start({ authorize: boundRights(() => server) });
  return { config: clientOf(server), host: '127.0.0.1', close: () => server.close() };
});
