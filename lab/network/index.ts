/** The face of `lab/network/`: who lives where, and the namespaces, links and rules that make it so. */
export { applyPlan, existingNamespaces, removeNamespaces } from './network.ts';
export { planNetwork, routersOf } from './network_plan.ts';
export { removeServedRules } from './served_rules.ts';
export { serveServices } from './services.ts';
export { DEFAULT_EXTERNAL_ADDRESSES, type LabNode, type LabPod, layOut, type Topology } from './topology.ts';
