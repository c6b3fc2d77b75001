/** The face of `cli/can/`. */
export { runCan } from './can.ts';
