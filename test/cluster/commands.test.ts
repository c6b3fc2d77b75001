/** Live commands of users of few rights, and of an administrator. */
import { commandScenarios } from '../support/kubernetes/command_scenarios.ts';
import { realCluster } from './access.ts';

commandScenarios(realCluster);
