/** `sluice can`: may one end open a connection to the other? Answered from manifests alone. */
export { runCan } from './can.ts';
