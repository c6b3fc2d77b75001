/** Connections that go straight to the app's own socket: the kernel reports them, and ends those that are to end. It decides nothing. */

export { DirectFlows, type DirectSink } from './direct_flows.ts';
export type { DirectPorts } from './direct_ports.ts';
