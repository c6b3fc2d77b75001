/**
 * Writes on each policy how many of the pods that it selects enforce it, and what of it cannot be enforced. Only the
 * replica that leads writes, only what has changed, and not too often. Nothing waits for it: what fails is tried again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type KubeConfig, NetworkingV1Api, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import { isInjected, STATUS_ANNOTATION } from '../../admission/index.ts';
import { hasCode, whatFailed, within } from '../../api/index.ts';
import { INJECTOR_SERVICE } from '../../certificates/index.ts';
import type { TableServer } from '../../tables/index.ts';
import type { KubernetesSource } from '../kubernetes_source.ts';
import type { PolicyFacts } from '../policy_facts.ts';
import { DnsWarnings } from './dns_warnings.ts';
import type { LeaderElection } from './leader_election.ts';
import { askPeers } from './peer_counts.ts';
import { enforcingCounts, policyStatus, selectedPods } from './policy_status.ts';
import type { ReplicaCounts } from './replica_counts.ts';

/** Between looks, ms. */
const LOOK_MS = 1_000;

/** A policy whose pods come and go is not written more often, ms; one that has come to be enforced is written at once. */
const REWRITE_MS = 10_000;

/** Policies written in one look: the rest has its turn in the next ones. */
const MAX_WRITES = 20;

/** After a failure there is a pause, ms: the API server has more important things to do. */
const PAUSE_MS = 10_000;

const CALL_TIMEOUT_MS = 5_000;
const GONE_OR_ANOTHER: readonly number[] = [404, 409, 422];

/** What is written about. */
export interface StatusWriterParts {
  readonly config: KubeConfig;
  readonly source: KubernetesSource;
  readonly tables: TableServer;
  readonly election: Pick<LeaderElection, 'leads'>;
  readonly namespace: string;
  readonly replica: string;
  /** Where the other replicas say what their sidecars enforce. */
  readonly statusPort: number;
  readonly log: Logger;
  /** Default a second; tests shorten it. */
  readonly lookMs?: number;
}

export class StatusWriter {
  readonly #parts: StatusWriterParts;
  readonly #api: NetworkingV1Api;
  readonly #dns: DnsWarnings;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  /** When each policy was last written; by UID. */
  readonly #writtenMs = new Map<string, number>();
  readonly #unsubscribe: () => void;
  /** The pods that each policy selects; absent after a change. */
  #selected: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(parts: StatusWriterParts) {
    this.#parts = parts;
    this.#api = parts.config.makeApiClient(NetworkingV1Api);
    this.#dns = new DnsWarnings(parts.tables);
    this.#unsubscribe = parts.source.onChange(this);
    this.#running = this.#run();
  }

  /** See `SourceListener`. */
  clusterChanged(): void {
    this.#selected = undefined;
  }

  /** What this replica's sidecars enforce. */
  get counts(): ReplicaCounts {
    return { replica: this.#parts.replica, enforcing: this.#count(this.#selectedPods()) };
  }

  /** Canonical addresses of the injector's replicas, this one among them. */
  get replicas(): readonly string[] {
    const { source, namespace } = this.#parts;
    const addresses = new Set<string>();
    for (const slice of source.cluster.endpointSlices.values())
      if (slice.namespace === namespace && slice.service === INJECTOR_SERVICE)
        for (const endpoint of slice.endpoints)
          for (const address of endpoint.addresses) addresses.add(address);
    return [...addresses];
  }

  /** Worked out once for each state of the cluster. */
  #selectedPods(): ReadonlyMap<string, readonly string[]> {
    this.#selected ??= selectedPods(this.#parts.source.cluster);
    return this.#selected;
  }

  #count(selected: ReadonlyMap<string, readonly string[]>): ReplicaCounts['enforcing'] {
    const { source, tables } = this.#parts;
    const counts = Object.entries(enforcingCounts(selected, tables.status().sidecars));
    return Object.fromEntries(
      counts.flatMap(([key, count]) => {
        const facts = source.policyFacts.get(key);
        return facts === undefined ? [] : [[versionOf(facts), count] as const];
      }),
    );
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { lookMs = LOOK_MS, election, log } = this.#parts;
    while (!this.#closing.signal.aborted) {
      let waitMs = lookMs;
      try {
        if (election.leads) await this.#look();
      } catch (error) {
        log.warn(`the status of policies was not written: ${whatFailed(error)}`);
        waitMs = PAUSE_MS;
      }
      await delay(waitMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { source, tables, replica } = this.#parts;
    const selected = this.#selectedPods();
    const own = this.#count(selected);
    const counted = new Set([...source.policyFacts.values()].map(versionOf));
    const others = (await askPeers(this.#peers(), this.#parts.statusPort)).filter(
      (peer) => peer.replica !== replica,
    );
    let writes = 0;
    for (const key of source.policyFacts.keys()) {
      if (writes >= MAX_WRITES || this.#closing.signal.aborted) return;
      const pods = selected.get(key) ?? [];
      const warnings = await this.#dns.of(source.cluster.policies.get(key), pods, source.cluster);
      const facts = source.policyFacts.get(key);
      if (facts === undefined) continue;
      const version = versionOf(facts);
      if (!counted.has(version)) continue; // new, or edited while others were asked: what was counted says nothing of it
      const enforcing = others.reduce((sum, peer) => sum + (peer.enforcing[version] ?? 0), own[version] ?? 0);
      const problems = [...source.problemsOf('NetworkPolicy', key), ...tables.policyProblems(key)];
      const injected = this.#isInjected(key);
      const status = policyStatus(facts.generation, pods.length, enforcing, problems, injected, warnings);
      const text = JSON.stringify(status);
      const settled = status.state === 'enforced' || status.state === 'partial';
      if (text === facts.status || !this.#isTime(facts, settled)) continue;
      writes += 1;
      await this.#write(key, facts, text);
    }
    for (const uid of this.#writtenMs.keys())
      if (![...source.policyFacts.values()].some((facts) => facts.uid === uid)) this.#writtenMs.delete(uid);
  }

  /** Only with others is there anything to ask. */
  #peers(): readonly string[] {
    const { replicas } = this;
    return replicas.length > 1 ? replicas : [];
  }

  /** Whether the pods that the policy with this key selects are injected. */
  #isInjected(key: string): boolean {
    const { source, namespace: own } = this.#parts;
    const namespace = source.cluster.namespaces.get(key.split('/')[0] ?? '');
    return namespace !== undefined && isInjected(namespace, own);
  }

  #isTime(facts: PolicyFacts, settled: boolean): boolean {
    if (settled) return true;
    return performance.now() - (this.#writtenMs.get(facts.uid) ?? Number.NEGATIVE_INFINITY) >= REWRITE_MS;
  }

  async #write(key: string, { uid }: PolicyFacts, text: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/');
    // With the UID it is about this policy, and no other of its name.
    const body = { metadata: { uid, annotations: { [STATUS_ANNOTATION]: text } } };
    const options = setHeaderOptions('Content-Type', PatchStrategy.MergePatch, within(CALL_TIMEOUT_MS));
    this.#writtenMs.set(uid, performance.now());
    try {
      await this.#api.patchNamespacedNetworkPolicy({ namespace, name, body }, options);
    } catch (error) {
      if (!GONE_OR_ANOTHER.some((code) => hasCode(error, code))) throw error;
    }
  }
}

/** Names a policy in one wording: another of its name is another, and so is it after an edit. */
function versionOf({ uid, generation }: PolicyFacts): string {
  return `${uid}/${generation}`;
}
