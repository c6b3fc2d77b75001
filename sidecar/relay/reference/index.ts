/** A relay on node:net, with which tests and benchmarks compare the native one. */

export { NODE_RELAY_LIMITS, startNodeRelay } from './node_relay.ts';
