/** The face of `cli/demo/`: what other parts may use. */
export { BrokenPromise, emphasise, say } from './page.ts';
export { playDemo } from './story.ts';
