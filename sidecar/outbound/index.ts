/** The face of `sidecar/outbound/`: what other parts may use. */

export { OutboundCutter } from './cutter.ts';
export { OutboundEnds, type OutboundEndsSink } from './ends.ts';
