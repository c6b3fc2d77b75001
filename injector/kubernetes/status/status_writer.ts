/**
 * Writes on each policy how many of the pods that it selects enforce it, and what of it cannot be enforced. Only the
 * replica that leads writes, only what has changed, and not too often. Nothing waits for it: what fails is tried again.
 * It looks at policies of which something has changed, and now and then at each of the others.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay, setImmediate as othersTurn } from 'node:timers/promises';
import { type KubeConfig, NetworkingV1Api, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import type { ClusterChange } from '../../../policy/index.ts';
import { isInjected } from '../../admission/index.ts';
import { hasCode, whatFailed, within } from '../../api/index.ts';
import { INJECTOR_SERVICE } from '../../certificates/index.ts';
import type { TableServer } from '../../tables/index.ts';
import type { KubernetesSource } from '../kubernetes_source.ts';
import {
  type PolicyFacts,
  STATUS_MANAGER,
  WRITTEN_ANNOTATIONS,
  type WrittenAnnotations,
} from '../policy_facts.ts';
import { CountsLog, type VersionCount } from './counts_log.ts';
import { DnsWarnings } from './dns_warnings.ts';
import type { LeaderElection } from './leader_election.ts';
import { PeerCounts } from './peer_counts.ts';
import { policyStatus, statusAnnotations } from './policy_status.ts';
import { PolicyVersions, versionOf } from './policy_versions.ts';
import type { CountsKnown, ReplicaCounts } from './replica_counts.ts';

/** Between looks, ms. */
const LOOK_MS = 1_000;

/** A policy whose pods come and go is not written more often, ms; one that has come to be enforced is written at once. */
const REWRITE_MS = 10_000;

/** Policies written in one look: the rest has its turn in the next ones. */
const MAX_WRITES = 20;

/**
 * Policies that are looked at in one look though nothing of them is known to have changed: what they leave pods without is
 * noticed in no other way. So 5,000 are looked at within 10 s.
 */
const MAX_OTHERS = 500;

/** Policies are looked at for this long at a stretch, ms; then what else is waiting has its turn. */
const STRETCH_MS = 5;

/** Policies named in one answer to a replica that asks for changes: some 250 kB. */
const MAX_NAMED = 5_000;

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
  /** When policies were written within `REWRITE_MS`; by UID, the longest ago first. */
  readonly #writtenMs = new Map<string, number>();
  readonly #peers: PeerCounts;
  readonly #versions = new PolicyVersions();
  /** What has changed in this replica's counts, for the others. */
  readonly #changes = new CountsLog(randomUUID());
  /** Keys of policies to look at, while this replica leads. */
  readonly #dirty = new Set<string>();
  /** Namespaces whose pods may be injected now, or not any more. */
  readonly #relabelled = new Set<string>();
  #leads = false;
  #others: Iterator<string, undefined> = [].values();
  readonly #unsubscribe: readonly (() => void)[];

  constructor(parts: StatusWriterParts) {
    const { source, tables, replica, statusPort } = parts;
    this.#parts = parts;
    this.#api = parts.config.makeApiClient(NetworkingV1Api);
    this.#dns = new DnsWarnings(tables);
    this.#peers = new PeerCounts(replica, statusPort);
    for (const key of source.policyFacts.keys()) this.policyFactsChanged(key);
    this.#unsubscribe = [source.onChange(this), source.onPolicyFacts(this)];
    this.#running = this.#run();
  }

  /** See `SourceListener`. */
  clusterChanged(changes: readonly ClusterChange[]): void {
    if (this.#leads) for (const { kind, key } of changes) if (kind === 'Namespace') this.#relabelled.add(key);
  }

  /** See `PolicyFactsListener`. */
  policyFactsChanged(key: string): void {
    const before = this.#versions.of(key);
    this.#versions.set(key, this.#parts.source.policyFacts.get(key));
    const now = this.#versions.of(key);
    if (before !== undefined && before !== now) this.#peers.forget(before);
    if (now === undefined) {
      this.#changes.forget(key);
      this.#dirty.delete(key);
      return;
    }
    if (before !== now) this.#changes.note(key);
    if (this.#leads) this.#dirty.add(key);
  }

  /** What this replica's sidecars enforce. */
  get counts(): ReplicaCounts {
    const counts = [...this.#parts.source.policyFacts.keys()].flatMap((key) => {
      const { version, enforcing } = this.#countOf(key) ?? {};
      return version !== undefined && enforcing ? [[version, enforcing] as const] : [];
    });
    return { replica: this.#parts.replica, enforcing: Object.fromEntries(counts) };
  }

  /** What has changed in it. An answer names a bounded number of policies. */
  countsSince(known: CountsKnown): ReplicaCounts {
    this.#noteChanged();
    const changed = this.#changes.since(known, MAX_NAMED, (key) => this.#countOf(key));
    return { replica: this.#parts.replica, ...changed };
  }

  #countOf(key: string): VersionCount | undefined {
    const { source, tables } = this.#parts;
    const facts = source.policyFacts.get(key);
    return facts && { version: versionOf(facts), enforcing: tables.counts().of(key).enforcing };
  }

  /** Takes over of which policies the counts have changed. */
  #noteChanged(): void {
    const { source, tables } = this.#parts;
    for (const key of tables.counts().take()) {
      if (!source.policyFacts.has(key)) continue;
      this.#changes.note(key);
      if (this.#leads) this.#dirty.add(key);
    }
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

  async close(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { lookMs = LOOK_MS, election, log } = this.#parts;
    while (!this.#closing.signal.aborted) {
      let waitMs = lookMs;
      try {
        this.#lead(election.leads);
        if (this.#leads) await this.#look();
      } catch (error) {
        log.warn(`the status of policies was not written: ${whatFailed(error)}`);
        waitMs = PAUSE_MS;
      }
      await delay(waitMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** Who comes to lead does not know what was written. */
  #lead(leads: boolean): void {
    if (this.#leads === leads) return;
    this.#leads = leads;
    this.#dirty.clear();
    this.#relabelled.clear();
    if (leads) for (const key of this.#parts.source.policyFacts.keys()) this.#dirty.add(key);
  }

  async #look(): Promise<void> {
    this.#noteChanged();
    for (const version of await this.#peers.ask(this.#addresses())) {
      const key = this.#versions.keyOf(version);
      if (key !== undefined) this.#dirty.add(key);
    }
    for (const namespace of this.#relabelled)
      for (const key of this.#parts.tables.counts().policiesOf(namespace)) this.#dirty.add(key);
    this.#relabelled.clear();
    this.#forgetWritten();
    let writes = 0;
    let beganMs = performance.now();
    for (const key of new Set([...this.#dirty, ...this.#nextOthers()])) {
      if (writes >= MAX_WRITES || this.#closing.signal.aborted) return;
      if (await this.#lookAt(key)) writes += 1;
      if (performance.now() - beganMs < STRETCH_MS) continue;
      await othersTurn();
      beganMs = performance.now();
    }
  }

  /** The next policies in their order; after the last one it begins again. */
  #nextOthers(): string[] {
    const { policyFacts } = this.#parts.source;
    const keys: string[] = [];
    while (keys.length < Math.min(MAX_OTHERS, policyFacts.size)) {
      const next = this.#others.next();
      if (next.done === true) this.#others = policyFacts.keys();
      else keys.push(next.value);
    }
    return keys;
  }

  /** Writes the status of a policy where it is another. @returns whether it did */
  async #lookAt(key: string): Promise<boolean> {
    const { source, tables } = this.#parts;
    const warnings = await this.#dns.of(key, source.cluster);
    const facts = source.policyFacts.get(key);
    if (facts === undefined) return false;
    const { selected, enforcing } = tables.counts().of(key);
    const all = enforcing + this.#peers.of(versionOf(facts));
    const problems = [...source.problemsOf('NetworkPolicy', key), ...tables.policyProblems(key)];
    const injected = this.#isInjected(key);
    const status = policyStatus(facts.generation, selected, all, problems, injected, warnings);
    const annotations = statusAnnotations(status);
    const settled = status.state === 'enforced' || status.state === 'partial';
    if (WRITTEN_ANNOTATIONS.every((name) => annotations[name] === facts.written[name])) {
      this.#dirty.delete(key);
      return false;
    }
    this.#dirty.add(key);
    if (!settled && this.#writtenMs.has(facts.uid)) return false;
    await this.#write(key, facts, annotations);
    return true;
  }

  #forgetWritten(): void {
    const oldestMs = performance.now() - REWRITE_MS;
    for (const [uid, writtenMs] of this.#writtenMs) {
      if (writtenMs > oldestMs) return;
      this.#writtenMs.delete(uid);
    }
  }

  /** Only with others is there anything to ask. */
  #addresses(): readonly string[] {
    const { replicas } = this;
    return replicas.length > 1 ? replicas : [];
  }

  /** Whether the pods that the policy with this key selects are injected. */
  #isInjected(key: string): boolean {
    const { source, namespace: own } = this.#parts;
    const namespace = source.cluster.namespaces.get(key.split('/')[0] ?? '');
    return namespace !== undefined && isInjected(namespace, own);
  }

  async #write(key: string, { uid }: PolicyFacts, annotations: WrittenAnnotations): Promise<void> {
    const [namespace = '', name = ''] = key.split('/');
    // With the UID it is about this policy, and no other of its name.
    const body = { metadata: { uid, annotations } };
    const options = setHeaderOptions('Content-Type', PatchStrategy.MergePatch, within(CALL_TIMEOUT_MS));
    this.#writtenMs.delete(uid);
    this.#writtenMs.set(uid, performance.now());
    try {
      await this.#api.patchNamespacedNetworkPolicy(
        { namespace, name, body, fieldManager: STATUS_MANAGER },
        options,
      );
    } catch (error) {
      if (!GONE_OR_ANOTHER.some((code) => hasCode(error, code))) throw error;
    }
  }
}
