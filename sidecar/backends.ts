/** Which backend of a Service a connection goes to: round robin, or the same one again where the Service asks for it. */
import type { VirtualPort } from '../policy/index.ts';

/** An address and port of a backend. */
type Backend = VirtualPort['backends'][number];

/** Services whose last choice is remembered; beyond it all are forgotten. */
const REMEMBERED_MAX = 4096;

const MS_PER_SECOND = 1000;

/** The choices of one sidecar. Its pod is the only client, so client affinity is one memory for each Service. */
export class Backends {
  readonly #turns = new Map<string, number>();
  readonly #last = new Map<string, { readonly backend: Backend; readonly atMs: number }>();

  /** @param allowed ready backends that policy allows, sorted; `undefined` when there is none */
  choose(
    virtual: VirtualPort,
    allowed: readonly Backend[],
    client: string,
    nowMs = performance.now(),
  ): Backend | undefined {
    if (this.#turns.size > REMEMBERED_MAX) this.#turns.clear();
    if (this.#last.size > REMEMBERED_MAX) this.#last.clear();
    const key = `${virtual.namespace}/${virtual.name} ${client}`;
    const chosen = this.#again(virtual, allowed, key, nowMs) ?? this.#next(allowed, key);
    if (chosen !== undefined && virtual.affinitySeconds !== undefined)
      this.#last.set(key, { backend: chosen, atMs: nowMs });
    return chosen;
  }

  /** `sessionAffinity: ClientIP`: the last backend, while it is allowed and its time is not over. */
  #again(
    { affinitySeconds }: VirtualPort,
    allowed: readonly Backend[],
    key: string,
    nowMs: number,
  ): Backend | undefined {
    const last = this.#last.get(key);
    if (affinitySeconds === undefined || last === undefined) return undefined;
    if (nowMs - last.atMs > affinitySeconds * MS_PER_SECOND) return undefined;
    return allowed.find(
      ({ address, port }) => address === last.backend.address && port === last.backend.port,
    );
  }

  #next(allowed: readonly Backend[], key: string): Backend | undefined {
    if (allowed.length === 0) return undefined;
    const turn = this.#turns.get(key) ?? Math.floor(Math.random() * allowed.length);
    this.#turns.set(key, turn + 1);
    return allowed[turn % allowed.length];
  }
}
