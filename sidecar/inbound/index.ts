/** The life of one inbound connection: registered, judged, admitted, ended. Also how many fit, and which accept queues are full. */

export { InboundAcceptor } from './acceptor.ts';
export { Backlogs } from './backlogs.ts';
export { connectionLimit, descriptorLimit, type InboundLimits, inboundLimits } from './capacity.ts';
export { InboundFailures } from './failures.ts';
export type { InboundContext } from './inbound.ts';
export { endLeftovers } from './leftovers.ts';
export { memoryLimit } from './memory_limit.ts';
