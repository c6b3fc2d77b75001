/** What manifests, a lab or a cluster say of workloads, policies and pods, for the page. */

export { readFacts } from './facts.ts';
export { fresh } from './fresh.ts';
