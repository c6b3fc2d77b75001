/** Keeps the rules by which a lab's nodes serve Services in step with its objects. */

import type { Cluster } from '../../policy/index.ts';
import type { LabPaths } from '../names/index.ts';
import { inNetns, runTool } from '../processes/index.ts';
import { readServedRules, writeServedRules } from './served_rules.ts';
import { serviceRules } from './service_rules.ts';
import type { Topology } from './topology.ts';

/**
 * Puts the rules of a cluster's Services in force on every node where they are not yet, each node's in one transaction.
 * @throws SluiceError `LAB_COMMAND_FAILED`; what it did before that stays, and is not done again
 */
export async function serveServices(paths: LabPaths, topology: Topology, cluster: Cluster): Promise<void> {
  for (const node of topology.nodes) {
    if (cluster.services.size === 0 && readServedRules(paths, node.name) === undefined) continue;
    const rules = serviceRules(cluster, node);
    if (readServedRules(paths, node.name) === rules) continue;
    await runTool(topology.lab, inNetns(node.netns, ['nft', '-f', '-']), rules);
    writeServedRules(paths, node.name, rules);
  }
}
