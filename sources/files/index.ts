/** Manifest files: which there are in a directory, what each holds, and what holds while one is broken. */

export {
  isIsolating,
  keepLastGood,
  type LoadedObject,
  losesObjects,
  MAX_FILE_BYTES,
  type ManifestFile,
  manifestFileOf,
  objectId,
  type RawObject,
  readInputBytes,
  readManifestBytes,
  readManifestFile,
  readManifestInput,
  STANDARD_INPUT,
} from './file.ts';
export { isManifestName, listManifests } from './paths.ts';
