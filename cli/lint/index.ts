/** `sluice lint`. */
export { runLint } from './lint.ts';
