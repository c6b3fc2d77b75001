/**
 * Which replica writes: the one that holds the Lease. Times of other clocks are not compared: a Lease is taken over when
 * it has not been renewed for its duration while this replica watched. Source: coordination.k8s.io/v1 `Lease`.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { CoordinationV1Api, type KubeConfig, type V1Lease, V1MicroTime } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import { jittered } from '../../../common/backoff.ts';
import { CONFLICT, hasCode, ifThere, whatFailed, within } from '../../api/index.ts';

/** The Lease in the injector's namespace. manifests/ allows this name. */
const LEASE_NAME = 'sluice-injector';

/** Times of an election; tests shorten them. */
export interface ElectionTimes {
  /** A holder that has not renewed for this long has lost it, ms. */
  readonly durationMs: number;
  /** Between renewals, and between looks at another's Lease, ms. */
  readonly renewMs: number;
}

/**
 * One that is killed just after a renewal is succeeded within a look, the duration and a look of the writer's: 9 s. Of two
 * renewals in a row one may fail. A Lease costs the API server a write of its holder and a read of each other every two seconds.
 */
const DEFAULT_TIMES: ElectionTimes = { durationMs: 5_000, renewMs: 2_000 };

const MS_PER_SECOND = 1000;

/** What an election is about. */
export interface ElectionSpec {
  readonly config: KubeConfig;
  readonly namespace: string;
  /** This replica's name, which no other replica has. */
  readonly replica: string;
  readonly log: Logger;
  readonly times?: Partial<ElectionTimes>;
}

export class LeaderElection {
  readonly #api: CoordinationV1Api;
  readonly #spec: ElectionSpec;
  readonly #times: ElectionTimes;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  /** The Lease as this replica wrote it: as long as nobody else has, it need not be read to be renewed. */
  #own: V1Lease | undefined;
  /** Another's Lease as last seen, and until when it is held if it is not renewed. */
  #seen: { readonly version: string | undefined; readonly untilMs: number } | undefined;
  #heldUntilMs = 0;
  #led = false;

  /** Takes part at once. */
  constructor(spec: ElectionSpec) {
    this.#spec = spec;
    this.#times = { ...DEFAULT_TIMES, ...spec.times };
    this.#api = spec.config.makeApiClient(CoordinationV1Api);
    this.#running = this.#run();
  }

  /** Whether this replica leads. Without an answer of the API server it stops to before another one begins. */
  get leads(): boolean {
    return performance.now() < this.#heldUntilMs;
  }

  /** Gives the Lease back, so that another replica need not wait. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    if (!this.leads) return;
    this.#heldUntilMs = 0;
    await this.#release().catch(() => undefined);
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#attempt().catch((error: unknown) => {
        // Two that try at once: the other one was quicker.
        if (!hasCode(error, CONFLICT))
          this.#spec.log.warn(
            `the Lease ${LEASE_NAME}, which the manifests make, was not renewed: ${whatFailed(error)}`,
          );
      });
      if (this.leads !== this.#led)
        this.#spec.log.info({ replica: this.#spec.replica }, this.leads ? 'leads' : 'leads no longer');
      this.#led = this.leads;
      await delay(this.#waitMs(), undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** Until the next attempt; no longer than another's Lease is held. */
  #waitMs(): number {
    const waitMs = jittered(this.#times.renewMs, this.#times.renewMs * 1.25);
    const heldMs = (this.#seen?.untilMs ?? 0) - performance.now();
    return heldMs > 0 ? Math.min(waitMs, heldMs + 1) : waitMs;
  }

  async #attempt(): Promise<void> {
    const { namespace, replica } = this.#spec;
    const startedMs = performance.now();
    const current = this.#own ?? (await this.#read());
    this.#own = undefined; // after a failure it is read
    const body = this.#lease(current);
    if (current === undefined) {
      // The manifests make it, and give no right to; an injector that runs elsewhere may have it.
      this.#own = await this.#api.createNamespacedLease({ namespace, body }, this.#bounded());
    } else {
      if (current.spec?.holderIdentity !== replica && !this.#isFree(current)) return;
      this.#own = await this.#api.replaceNamespacedLease(
        { namespace, name: LEASE_NAME, body },
        this.#bounded(),
      );
    }
    this.#heldUntilMs = startedMs + this.#times.durationMs;
  }

  /** Whether nobody holds it, or its holder has been silent for too long. */
  #isFree(lease: V1Lease): boolean {
    if (!lease.spec?.holderIdentity) return true;
    const version = lease.metadata?.resourceVersion;
    const nowMs = performance.now();
    if (this.#seen === undefined || this.#seen.version !== version)
      this.#seen = { version, untilMs: nowMs + (lease.spec.leaseDurationSeconds ?? 0) * MS_PER_SECOND };
    return nowMs > this.#seen.untilMs;
  }

  #read(): Promise<V1Lease | undefined> {
    const { namespace } = this.#spec;
    return ifThere(this.#api.readNamespacedLease({ namespace, name: LEASE_NAME }, this.#bounded()));
  }

  /** The Lease with this replica as its holder; as a change of the version that was read. */
  #lease(current: V1Lease | undefined): V1Lease {
    const now = new V1MicroTime();
    const { replica } = this.#spec;
    const mine = current?.spec?.holderIdentity === replica;
    return {
      metadata: current?.metadata ?? { name: LEASE_NAME },
      spec: {
        holderIdentity: replica,
        leaseDurationSeconds: Math.ceil(this.#times.durationMs / MS_PER_SECOND),
        renewTime: now,
        acquireTime: (mine ? current?.spec?.acquireTime : undefined) ?? now,
        leaseTransitions: (current?.spec?.leaseTransitions ?? 0) + (current === undefined || mine ? 0 : 1),
      },
    };
  }

  async #release(): Promise<void> {
    const lease = await this.#read();
    if (lease?.spec?.holderIdentity !== this.#spec.replica) return;
    const body = { ...lease, spec: { ...lease.spec, holderIdentity: '' } };
    const { namespace } = this.#spec;
    await this.#api.replaceNamespacedLease({ namespace, name: LEASE_NAME, body }, this.#bounded());
  }

  #bounded() {
    return within(Math.floor(this.#times.durationMs / 3));
  }
}
