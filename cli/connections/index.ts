/** `sluice connections`: which connections into pods are live, and the rules that hold them. */
export { runConnections } from './connections.ts';
