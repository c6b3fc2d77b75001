/** The face of `lab/agent/`: what other parts may use. */
export { Agent } from './agent.ts';
export type { FlowReport } from './protocol.ts';
