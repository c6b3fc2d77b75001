/** The face of `lab/`: what other parts may use. */

export { Agent, type FlowReport } from './agent/index.ts';
export { type ApplyResult, changeLab } from './apply.ts';
export { takeLabDown } from './down.ts';
export { guardLab } from './guard.ts';
export { Lab } from './lab.ts';
export { checkLabName, DEFAULT_LAB_NAME } from './names.ts';
export { checkOwnLab } from './ownership.ts';
export { patternSha256 } from './pattern.ts';
export { applyRedirect } from './pod_processes.ts';
export {
  inNetns,
  isAlive,
  killProcesses,
  lastLines,
  type ProcessId,
  signalProcess,
  startProcess,
} from './processes.ts';
export { injectorLog, labNames, labPaths, readState, removeSidecarState, tryReadState } from './state.ts';
export { columns, describeStatus, labStatus, podWarnings } from './status.ts';
export { checkPrerequisites, checkRoot, runTool, toolPath } from './tools.ts';
