/** What each sidecar enforces, against what it is to enforce: counted by policy, and one by one. */
import type { ClusterChange } from '../../policy/index.ts';
import type { ClusterSource } from '../source.ts';
import type { ClusterFollower } from './cluster_follower.ts';
import { PolicyCounts, type SidecarState } from './policy_counts.ts';
import type { SendQueue } from './send_queue.ts';
import type { ServerStatus, SidecarStatus } from './server_status.ts';
import type { TableSession } from './session/index.ts';
import type { Sessions } from './sessions.ts';
import { whyNoSubject } from './subject.ts';

/** What is looked at. */
export interface StatusParts {
  readonly source: ClusterSource;
  readonly follower: ClusterFollower;
  readonly sessions: Sessions;
  readonly queue: SendQueue;
}

/** Of one server. It notes which sidecars have moved, and looks at them only when it is asked: thousands of acknowledgements come in a second. */
export class EnforcementStatus {
  readonly #parts: StatusParts;
  #counts: PolicyCounts;
  /** Connected pods whose sidecars may be further, or less far, than `#counts` knows. */
  readonly #moved = new Set<string>();

  constructor(parts: StatusParts) {
    this.#parts = parts;
    this.#counts = new PolicyCounts(parts.source.cluster);
  }

  /** A change is in the cluster. */
  changing(change: ClusterChange): void {
    this.#counts.apply(change);
  }

  /** Something else is to be said of policies. */
  touch(policyKeys: readonly string[]): void {
    for (const key of policyKeys) this.#counts.touch(key);
  }

  /** A connected pod's sidecar may enforce something else, or is to enforce something else. */
  moved(podKey: string): void {
    this.#moved.add(podKey);
  }

  /** A pod has no session any more. */
  left(podKey: string): void {
    this.#moved.delete(podKey);
    this.#counts.setSidecar(podKey, 'absent');
  }

  /** All is counted again from the cluster as it is. Its pods' sidecars are counted as they are moved. */
  startOver(): void {
    this.#counts = new PolicyCounts(this.#parts.source.cluster);
  }

  /** How many pods each policy selects and how many enforce it, with all changes so far. The object may be another each time. */
  counts(): PolicyCounts {
    const { follower } = this.#parts;
    follower.catchUp();
    for (const podKey of this.#moved) this.#counts.setSidecar(podKey, this.#stateOf(podKey));
    this.#moved.clear();
    this.#counts.hold(follower.compiler.waiting);
    return this.#counts;
  }

  /** Once all changes are taken in: a table that may change waits in the queue then. */
  #stateOf(podKey: string): SidecarState {
    const session = this.#parts.sessions.byPod.get(podKey);
    if (session === undefined) return 'absent';
    const isCurrent =
      session.revision === session.enforced &&
      this.#parts.queue.revision(session) === undefined &&
      !mayLackSome(session);
    return isCurrent ? 'enforcing' : 'behind';
  }

  /** What is served to whom, with all changes so far. */
  status(): ServerStatus {
    const { follower, sessions } = this.#parts;
    follower.catchUp();
    const { compiler, revision, problems } = follower;
    const sidecars: SidecarStatus[] = [];
    for (const [key, pod] of [...compiler.cluster.pods].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (whyNoSubject(pod) !== undefined) continue;
      const session = sessions.byPod.get(key);
      sidecars.push({
        namespace: pod.namespace,
        pod: pod.name,
        connected: session !== undefined,
        revision: session === undefined ? 0 : this.#wantedRevision(session, key),
        enforced: session?.enforced ?? null,
        ...(session?.error === undefined ? {} : { error: session.error }),
        ...(session === undefined ? {} : { path: session.path }),
        warnings: [compiler.forgottenDns(key) ?? []].flat(),
      });
    }
    const waiting = [...sessions.byPod].flatMap(([pod, session]) =>
      session.revision === undefined ? [{ pod, message: session.error ?? 'no table yet' }] : [],
    );
    return { revision, problems, sidecars, waiting };
  }

  /** Of the table that a session's pod has now, sent or not. */
  #wantedRevision(session: TableSession, podKey: string): number {
    const { follower, queue } = this.#parts;
    const due = queue.revision(session);
    if (due !== undefined) return due;
    // What policies that wait their turn lead to will be another revision, which nobody has.
    if (follower.compiler.isBehind(podKey) || mayLackSome(session)) return follower.revision + 1;
    return session.revision ?? 0;
  }
}

/**
 * Whether what has changed since may not have been sent: one that refuses, or has yet to say what it wants, may be sent nothing more
 * for a while, however much changes.
 */
function mayLackSome(session: TableSession): boolean {
  return session.refuses || session.awaitsWant;
}
