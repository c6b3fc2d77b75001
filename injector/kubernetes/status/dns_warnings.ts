/** Which policies leave pods without DNS: for their status. Looked at now and then, as it costs more than counting. */
import { setImmediate as othersTurn } from 'node:timers/promises';
import type { Cluster, Pod } from '../../../policy/index.ts';
import type { TableServer } from '../../tables/index.ts';

/** How long an answer about a pod holds, ms: policies, and other pods, come and go. */
const HOLD_MS = 5_000;

/** Workloads of a policy that are looked at, one pod each: its pods have the same labels. */
const MAX_WORKLOADS = 20;

/** Pods of a policy that are gone through to find its workloads: each of a StatefulSet has labels of its own. */
const MAX_EXAMPLES = 200;

/** Pods are looked at for this long at a stretch, ms; then what else is waiting has its turn. */
const STRETCH_MS = 10;

interface Answer {
  readonly untilMs: number;
  readonly text: string | undefined;
}

export class DnsWarnings {
  readonly #tables: Pick<TableServer, 'forgottenDns' | 'counts'>;
  /** By pod, whichever policies select it: the answer is about all of them. */
  readonly #answers = new WeakMap<Pod, Answer>();
  #stretchBeganMs = 0;

  constructor(tables: Pick<TableServer, 'forgottenDns' | 'counts'>) {
    this.#tables = tables;
  }

  /** What is to be said of the policy with this key, for the first of its pods of which it is. */
  async of(policyKey: string, cluster: Cluster): Promise<readonly string[]> {
    if (cluster.policies.get(policyKey)?.policyTypes.includes('egress') !== true) return [];
    for (const key of this.#examplesOf(policyKey, cluster)) {
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

  /** One pod of each workload. */
  #examplesOf(policyKey: string, cluster: Cluster): Iterable<string> {
    const workloads = new Map<string, string>();
    for (const pod of this.#tables.counts().examples(policyKey, MAX_EXAMPLES)) {
      const { workload } = cluster.pods.get(pod) ?? {};
      if (workload !== undefined && !workloads.has(workload)) workloads.set(workload, pod);
      if (workloads.size === MAX_WORKLOADS) break;
    }
    return workloads.values();
  }
}
