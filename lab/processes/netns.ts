/** Network namespaces with a name, as `ip netns` keeps them. */

/** Where `ip netns` keeps its namespaces. */
export const NETNS_FOLDER = '/run/netns';

/** The command line that runs `argv` in a namespace. nsenter executes it: the pid stays the same. */
export function inNetns(netns: string | undefined, argv: readonly string[]): readonly string[] {
  return netns === undefined ? argv : ['nsenter', `--net=${NETNS_FOLDER}/${netns}`, '--', ...argv];
}
