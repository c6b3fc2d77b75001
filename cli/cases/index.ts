/** `sluice test`: cases of who may connect to whom, judged by the engine or by real packets in a lab. */
export { runTest } from './test.ts';
