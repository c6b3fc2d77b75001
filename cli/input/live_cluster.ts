/** The parts by which a command asks a live cluster itself. */

/** Loads them only where they are used: the library of the Kubernetes API takes half a second. */
export async function liveCluster() {
  return await import('./cluster/index.ts');
}
