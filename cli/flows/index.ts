/** Where commands get observed flows from: a file, a lab, a cluster, or the sidecars themselves. */

export { type AskedEnd, askedEnds } from './asked_end.ts';
export {
  askPods,
  type ConnectionView,
  connectionsPage,
  findPods,
  openSidecars,
  type PodNames,
  type Readiness,
  readyzPage,
  type SidecarPod,
  type SidecarPods,
  silentText,
} from './direct/index.ts';
export {
  FLOW_FLAGS,
  type FlowChoice,
  type FlowFlag,
  flowChoice,
  LIVE_FLAGS,
  type LiveChoice,
  type LiveFlag,
  liveChoice,
  objectsOf,
  placeChoice,
} from './flow_flags.ts';
export type { FlowSource } from './flow_source.ts';
export { changeText, fullEnd, OUTCOME_WORDS, portText, ruleText, shortEnd } from './flow_text.ts';
export { createInjectorSource } from './injector_source.ts';
export { createLinesSource } from './lines_source.ts';
export { type OpenedFlows, openFlows } from './open_source.ts';
