/** The face of `lab/state/`: what a lab remembers, whose it is, and who may change it. */
export { lockLab } from './lock.ts';
export { checkOwnLab } from './ownership.ts';
export {
  createFolders,
  currentState,
  type LabState,
  readState,
  recordProcess,
  removeFolders,
  removeSidecarState,
  tryReadState,
  writeState,
} from './state.ts';
