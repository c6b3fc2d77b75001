/** Flows that do not pass the proxy: of those that the pod itself opens, the ones that a table forbids are ended; all that end are reported. */

export { OutboundCutter, type OutboundQuestions } from './cutter.ts';
export { OutboundEnds, type OutboundEndsSink } from './ends.ts';
