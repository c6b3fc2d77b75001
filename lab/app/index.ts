/** The face of `lab/app/`: the app in each pod, and the bytes that it streams. */
export { PATTERN_BLOCK, patternSha256 } from './pattern.ts';
export { APP_SERVER } from './program.ts';
