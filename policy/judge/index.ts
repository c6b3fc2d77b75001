/** The face of `policy/judge/`: what other parts may use. */

export { createJudge, type Judge } from './judge.ts';
