/** `sluice lab`: builds a cluster of network namespaces from manifests, and runs commands in its pods. */
export { runLab } from './commands.ts';
