/** `sluice diff`: which connections become possible or impossible. */
export { runDiff } from './diff.ts';
