/** Answers by one pod's table whether a flow may pass, and why. The hot path of the sidecar. */

export { isDeniedForCertain } from './denied_for_certain.ts';
export { createJudge, type Judge } from './judge.ts';
