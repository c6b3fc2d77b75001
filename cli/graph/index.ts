/** `sluice graph`: which connections policies let through. */
export { runGraph } from './graph.ts';
