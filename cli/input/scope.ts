/** What of a cluster a command needs. Files and labs are read whole. */

/** Objects are listed in these namespaces only: the user may have rights in few, and a cluster may be large. */
export interface Scope {
  /** `all`: where the user may not list them all, those of `fallback` are read, and a note says so. */
  readonly namespaces: 'all' | readonly string[];
  /** Namespaces to make do with. */
  readonly fallback: readonly string[];
  /** Whether a command can do without Services. */
  readonly services: 'required' | 'optional';
}

/** All that the user may read: peers of policies may be in any namespace. @param namespace of names without one */
export function wholeCluster(namespace: string): Scope {
  return { namespaces: 'all', fallback: [namespace], services: 'optional' };
}
