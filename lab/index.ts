/** The face of `lab/`: a cluster of network namespaces on one machine, as a library. */

export { Agent, type FlowReport } from './agent/index.ts';
export { APP_SERVER, patternSha256 } from './app/index.ts';
export { type ApplyResult, changeLab } from './apply.ts';
export { takeLabDown } from './down.ts';
export { guardLab } from './guard.ts';
export { Lab } from './lab.ts';
export { checkLabName, DEFAULT_LAB_NAME, injectorLog, labNames, labPaths } from './names/index.ts';
export type { LabPod, Topology } from './network/index.ts';
export { applyRedirect } from './pods/index.ts';
export {
  checkPrerequisites,
  checkRoot,
  inNetns,
  isAlive,
  killProcesses,
  lastLines,
  type ProcessId,
  runTool,
  signalProcess,
  startProcess,
  toolPath,
} from './processes/index.ts';
export { checkOwnLab, readState, removeSidecarState, tryReadState } from './state/index.ts';
export { columns, describeStatus, labStatus, podWarnings } from './status.ts';
