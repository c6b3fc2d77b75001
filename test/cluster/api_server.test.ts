/** The API server does what Sluice relies on, and what the test double does. */
import { describe } from 'vitest';
import { admissionScenarios } from '../support/kubernetes/admission_scenarios.ts';
import { objectScenarios } from '../support/kubernetes/object_scenarios.ts';
import { tokenScenarios } from '../support/kubernetes/token_scenarios.ts';
import { watchScenarios } from '../support/kubernetes/watch_scenarios.ts';
import { realCluster } from './access.ts';

describe('objects', () => objectScenarios(realCluster));
describe('tokens', () => tokenScenarios(realCluster));
describe('lists and watches', () => watchScenarios(realCluster));
describe('admission', () => admissionScenarios(realCluster));
