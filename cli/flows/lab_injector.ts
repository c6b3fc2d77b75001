/** Flows that the injector of a lab has collected. */
import { checkLabName, labPaths, readState } from '../../lab/index.ts';
import type { FlowSource } from './flow_source.ts';
import { createInjectorSource } from './injector_source.ts';

/** @throws SluiceError `LAB_NOT_FOUND` */
export function labInjector(lab: string, signal: AbortSignal): FlowSource {
  checkLabName(lab);
  readState(lab);
  return createInjectorSource(labPaths(lab).statusSocket, `the injector of lab ${lab}`, signal);
}
