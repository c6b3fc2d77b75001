/** The face of `cli/check/`. */
export { runCheck } from './check.ts';
