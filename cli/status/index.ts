/** `sluice status` and `sluice wait`: how far policies are in force. */
export { runStatus } from './status.ts';
export { runWait } from './wait.ts';
