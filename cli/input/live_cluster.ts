/** The parts by which a command asks a live cluster itself. */

/** Those parts. */
export type LiveCluster = typeof import('./cluster/index.ts');

/** Loads them only where they are used: the library of the Kubernetes API takes half a second. */
export async function liveCluster(): Promise<LiveCluster> {
  return await import('./cluster/index.ts');
}
