/** A directory of manifests as the source of the cluster: watched, each edit in force within 200 ms. */

export { openDirectorySource } from './directory_source.ts';
