/** Completion of command lines by bash, zsh, fish, and kubectl for its plugin. */
export { complete } from './complete.ts';
export { runCompletion } from './completion.ts';
