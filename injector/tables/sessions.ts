/** All sessions: of which pods they are, and which of them hear of whom. */
import type { PathUse } from '../../common/path.ts';
import type { ClusterUpdate } from '../../policy/index.ts';
import { MetAddresses } from './met_addresses.ts';
import type { TableSession } from './session/index.ts';

/** Those of one server. A pod has one session at a time that counts. */
export class Sessions {
  readonly #all = new Set<TableSession>();
  readonly #byPod = new Map<string, TableSession>();
  /** Which sidecars have met whom in large groups. */
  readonly met = new MetAddresses<TableSession>();

  /** All there are, those before their hello as well. */
  get all(): ReadonlySet<TableSession> {
    return this.#all;
  }

  /** Those that count, by the `namespace/name` of their pods. */
  get byPod(): ReadonlyMap<string, TableSession> {
    return this.#byPod;
  }

  add(session: TableSession): void {
    this.#all.add(session);
  }

  /** From here on the session is the one of the pod. */
  put(podKey: string, session: TableSession): void {
    this.#byPod.set(podKey, session);
  }

  /** @returns the pod that has no session now; undefined: the session was none that counts */
  delete(session: TableSession): string | undefined {
    this.#all.delete(session);
    for (const address of session.met ?? []) this.met.delete(address, session);
    const { podKey } = session;
    if (podKey === undefined || this.#byPod.get(podKey) !== session) return undefined;
    this.#byPod.delete(podKey);
    return podKey;
  }

  /** Those that are to hear of an update, by pod. */
  concerned({ touched, movedInLarge }: ClusterUpdate): ReadonlyMap<string, TableSession> {
    const concerned = new Map<string, TableSession>();
    for (const podKey of touched) {
      const session = this.#byPod.get(podKey);
      if (session !== undefined) concerned.set(podKey, session);
    }
    for (const address of movedInLarge)
      for (const session of this.met.sessions(address))
        if (session.podKey !== undefined) concerned.set(session.podKey, session);
    return concerned;
  }

  /** Sidecars that are connected; without those that have been asked to leave, until it shows that they cannot. */
  get carried(): number {
    let carried = 0;
    for (const session of this.#byPod.values()) if (!session.isLeaving) carried += 1;
    return carried;
  }

  /** Connected sidecars by the way that inbound TCP takes to their apps. */
  get paths(): Readonly<Record<PathUse, number>> {
    const counts = { proxy: 0, direct: 0, mixed: 0 };
    for (const { path } of this.#byPod.values()) counts[path] += 1;
    return counts;
  }

  /**
   * Has sidecars move to another replica, those that came first before others. One that does not know how to stays.
   * @param whose all, or those who have been here for as long as a session lasts
   * @returns how many were asked: at most `atMost`
   */
  letGo(whose: 'all' | 'aged', atMost: number, message: string): number {
    let asked = 0;
    for (const session of this.#byPod.values()) {
      if (asked >= atMost) break;
      if ((whose === 'all' || session.isAged) && session.move(message)) asked += 1;
    }
    return asked;
  }
}
