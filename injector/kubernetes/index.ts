/** The API server as the source of the cluster, and what the injector writes and reports about it. */

export { KubernetesSource } from './kubernetes_source.ts';
export { AllFlows, SessionSpread } from './replicas/index.ts';
export { countedEvents, setSourceGauges } from './source_metrics.ts';
export { LeaderElection, StatusWriter } from './status/index.ts';
export { UninjectedSweep } from './uninjected_sweep.ts';
