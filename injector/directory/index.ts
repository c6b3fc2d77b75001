/** The face of `injector/directory/`: what other parts may use. */

export { openDirectorySource } from './directory_source.ts';
