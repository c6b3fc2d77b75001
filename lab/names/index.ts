/** The face of `lab/names/`: what the parts of a lab are called, and where it keeps what. */
export { makeFolder } from './make_folder.ts';
export {
  checkLabName,
  DEFAULT_LAB_NAME,
  fileSlug,
  interfaceName,
  netnsPrefix,
  nodeNetns,
  outsideNetns,
  podNetns,
} from './names.ts';
export {
  hasFolder,
  injectorLog,
  type LabPaths,
  labNames,
  labPaths,
  processLog,
  type Role,
  sidecarStateFolder,
} from './paths.ts';
