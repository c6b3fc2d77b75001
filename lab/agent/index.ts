/** The face of `lab/agent/`: a client in a pod that does what it is asked. */
export { Agent } from './agent.ts';
export type { FlowReport } from './protocol.ts';
