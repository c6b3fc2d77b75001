/** `sluice observe`: who has talked to whom, and what was denied. */
export { runObserve } from './observe.ts';
