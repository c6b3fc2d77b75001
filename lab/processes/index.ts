/** The face of `lab/processes/`: starting, finding and ending processes in network namespaces. */
export { findProcesses, labFoldersOf } from './find.ts';
export { labMarks } from './marks.ts';
export { inNetns, NETNS_FOLDER } from './netns.ts';
export { isAlive, killProcesses, type ProcessId, signalProcess, waitGone } from './process.ts';
export { lastLines, startProcess } from './start.ts';
export { checkPrerequisites, checkRoot, runTool, toolPath } from './tools.ts';
