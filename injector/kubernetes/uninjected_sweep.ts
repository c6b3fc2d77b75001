/**
 * Looks for pods of enabled namespaces that no sidecar enforces: created while the webhook was not there, under another
 * label, or before the label. The webhook and the admission policies keep such pods out; this says when they did not.
 */
import type { Logger } from 'pino';
import { allows, isInjected } from '../admission/index.ts';
import type { InjectorMetrics } from '../metrics.ts';
import type { KubernetesSource } from './kubernetes_source.ts';

/** How often it looks, ms. What it looks at follows the API server at once; a pod is named within this and a watch. */
const SWEEP_MS = 5_000;

/** Most pods that are named one by one, in the log and in the status; the metric has their number. */
const NAMED_MAX = 100;

/** What it looks at, and where it says what it found. */
export interface SweepParts {
  readonly source: Pick<KubernetesSource, 'cluster' | 'unenforced'>;
  /** The injector's own, which is never injected either. */
  readonly namespace: string;
  readonly metrics: Pick<InjectorMetrics, 'uninjected'>;
  readonly log: Logger;
}

/** Looks now, and again and again until `close`. */
export class UninjectedSweep {
  readonly #parts: SweepParts;
  readonly #timer: NodeJS.Timeout;
  #found: ReadonlySet<string> = new Set();

  constructor(parts: SweepParts, everyMs = SWEEP_MS) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#sweep(), everyMs);
    this.#sweep();
  }

  /** `namespace/name` of pods found by the last look, the first hundred. */
  get pods(): readonly string[] {
    return [...this.#found].slice(0, NAMED_MAX);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #sweep(): void {
    const { metrics, log } = this.#parts;
    const found = new Set(this.#look());
    const fresh = [...found].filter((key) => !this.#found.has(key));
    const gone = [...this.#found].filter((key) => !found.has(key));
    for (const pod of fresh.slice(0, NAMED_MAX))
      log.error(
        { pod },
        'a pod of an enabled namespace runs without a sidecar, and no policy is enforced on it: restart its workload',
      );
    if (fresh.length > NAMED_MAX)
      log.error({ more: fresh.length - NAMED_MAX }, 'more pods of enabled namespaces run without a sidecar');
    if (gone.length > 0)
      log.info({ pods: gone.slice(0, NAMED_MAX), left: found.size }, 'pods without a sidecar are gone');
    metrics.uninjected.set(found.size);
    this.#found = found;
  }

  /** Only namespaces that ask for injection are gone through. */
  *#look(): Generator<string, void, void> {
    const { source, namespace } = this.#parts;
    for (const each of source.cluster.namespaces.values()) {
      if (!isInjected(each, namespace)) continue;
      const mayOptOut = allows(each.annotations ?? {}, 'allowOptOut');
      for (const [key, { optsOut }] of source.unenforced.get(each.name) ?? [])
        if (!(optsOut && mayOptOut)) yield key;
    }
  }
}
