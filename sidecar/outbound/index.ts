/** Connections that the pod itself opens: those that a table forbids are ended, those that end are reported. */

export { OutboundCutter, type OutboundQuestions } from './cutter.ts';
export { OutboundEnds, type OutboundEndsSink } from './ends.ts';
