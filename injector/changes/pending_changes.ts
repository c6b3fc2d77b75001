/** Changes of objects that have come, and are not in force yet. */
import { Recent } from '../../common/recent.ts';
import type { NamedChange } from '../../flows/index.ts';
import { CLUSTER_KINDS, type ClusterChange, type ClusterKind } from '../../policy/index.ts';
import type { ChangeOrigin } from './change_origin.ts';
import { type CommittedChanges, MAX_CHANGES } from './committed_changes.ts';

/** Gathers changes until they are in force. */
export class PendingChanges {
  /** By kind and key. */
  readonly #byKind = new Map(
    CLUSTER_KINDS.map((kind): [ClusterKind, Recent<string, NamedChange>] => [kind, new Recent(MAX_CHANGES)]),
  );

  /** A change has come. @param now of changes of which nobody says when they were made */
  add({ kind, key, object }: ClusterChange, origin: ChangeOrigin | undefined, now: Date): void {
    const slash = key.indexOf('/');
    this.#byKind.get(kind)?.keep(key, {
      kind,
      ...(slash === -1 ? {} : { namespace: key.slice(0, slash) }),
      name: key.slice(slash + 1),
      at: now.toISOString(),
      ...origin,
      ...(object === undefined ? { deleted: true } : {}),
    });
  }

  /**
   * What came in force under a revision: all that has come, but for policies that wait for their turn.
   * @param waiting namespaces whose policies wait
   */
  commit(revision: number, waiting: ReadonlySet<string>): CommittedChanges {
    const changes: NamedChange[] = [];
    for (const [kind, pending] of this.#byKind) {
      const waits = (change: NamedChange): boolean =>
        kind === 'NetworkPolicy' && waiting.has(change.namespace ?? '');
      const all = [...pending.values()];
      changes.push(...all.filter((change) => !waits(change)));
      pending.clear();
      for (const change of all.filter(waits)) pending.keep(`${change.namespace}/${change.name}`, change);
    }
    return { revision, changes };
  }
}
