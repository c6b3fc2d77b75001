/** The API-server double keeps what Sluice relies on; `test/cluster` asks a real API server the same. */
import { describe } from 'vitest';
import { clientOf } from '../../../builders/stored_objects.ts';
import { ApiServer } from '../../../support/api_server/api_server.ts';
import { admissionScenarios } from '../../../support/kubernetes/admission_scenarios.ts';
import { objectScenarios } from '../../../support/kubernetes/object_scenarios.ts';
import { tokenScenarios } from '../../../support/kubernetes/token_scenarios.ts';
import { watchScenarios } from '../../../support/kubernetes/watch_scenarios.ts';

async function open() {
  const server = await ApiServer.start();
  return { config: clientOf(server), host: '127.0.0.1', close: () => server.close() };
}

describe('objects', () => objectScenarios(open));
describe('tokens', () => tokenScenarios(open));
describe('lists and watches', () => watchScenarios(open));
describe('admission', () => admissionScenarios(open));
