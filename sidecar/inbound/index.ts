/** The face of `sidecar/inbound/`: what other parts may use. */

export { Backlogs } from './backlogs.ts';
export { bufferLimit, connectionLimit, descriptorLimit, pipeLimit } from './capacity.ts';
export { acceptInbound, type InboundContext } from './inbound.ts';
export { memoryLimit } from './memory_limit.ts';
