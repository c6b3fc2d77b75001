/** The demo: a story told with real connections in a lab, and how it is shown in a terminal. */
export { BrokenPromise, createPage } from './page.ts';
export { playDemo } from './story.ts';
