/** Which policies leave pods without DNS: for their status. Looked at now and then, as it costs more than counting. */
import { setImmediate as othersTurn } from 'node:timers/promises';
import type { Cluster, NetworkPolicy, Pod } from '../../../policy/index.ts';
import type { TableServer } from '../../tables/index.ts';

/** How long an answer about a pod holds, ms: policies, and other pods, come and go. */
const HOLD_MS = 10_000;

/** Workloads of a policy that are looked at, one pod each: its pods have the same labels. */
const MAX_WORKLOADS = 20;

/** Pods are looked at for this long at a stretch, ms; then what else is waiting has its turn. */
const STRETCH_MS = 10;

interface Answer {
  readonly untilMs: number;
  readonly text: string | undefined;
}

export class DnsWarnings {
  readonly #tables: Pick<TableServer, 'forgottenDns'>;
  /** By pod, whichever policies select it: the answer is about all of them. */
  readonly #answers = new WeakMap<Pod, Answer>();
  /** By list of pods: the first of each workload. */
  readonly #examples = new WeakMap<readonly string[], readonly string[]>();
  #stretchBeganMs = 0;

  constructor(tables: Pick<TableServer, 'forgottenDns'>) {
    this.#tables = tables;
  }

  /**
   * What is to be said of a policy, for the first of its pods of which it is.
   * @param policy none: it is gone
   * @param pods that it selects, `namespace/name`; the same list as long as they are the same
   */
  async of(
    policy: NetworkPolicy | undefined,
    pods: readonly string[],
    cluster: Cluster,
  ): Promise<readonly string[]> {
    if (policy?.policyTypes.includes('egress') !== true) return [];
    for (const key of this.#examplesOf(pods, cluster)) {
      if (performance.now() - this.#stretchBeganMs > STRETCH_MS) {
        await othersTurn();
        this.#stretchBeganMs = performance.now();
      }
      const text = this.#ask(key, cluster.pods.get(key));
      if (text !== undefined) return [`pod ${key}: ${text}`];
    }
    return [];
  }

  #ask(key: string, pod: Pod | undefined): string | undefined {
    if (pod === undefined) return undefined;
    const known = this.#answers.get(pod);
    const nowMs = performance.now();
    if (known !== undefined && nowMs < known.untilMs) return known.text;
    const text = this.#tables.forgottenDns(key);
    this.#answers.set(pod, { untilMs: nowMs + HOLD_MS, text });
    return text;
  }

  #examplesOf(pods: readonly string[], cluster: Cluster): readonly string[] {
    const known = this.#examples.get(pods);
    if (known !== undefined) return known;
    const workloads = new Map<string, string>();
    for (const pod of pods) {
      const { workload } = cluster.pods.get(pod) ?? {};
      if (workload !== undefined && !workloads.has(workload)) workloads.set(workload, pod);
      if (workloads.size === MAX_WORKLOADS) break;
    }
    const examples = [...workloads.values()];
    this.#examples.set(pods, examples);
    return examples;
  }
}
