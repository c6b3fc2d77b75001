/** The injector's metrics. Their labels are bounded: no pod, policy or address is one. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { registerActiveResources } from '../common/active_resources.ts';

/** Metrics by use, and the registry that `/metrics` prints. */
export interface InjectorMetrics {
  readonly registry: Registry;
  readonly framesSent: Counter<'type'>;
  readonly sessionsCut: Counter<'reason'>;
  readonly nacks: Counter;
  readonly updateSeconds: Histogram;
  readonly enforceSeconds: Histogram;
  readonly revision: Gauge;
  readonly sidecars: Gauge<'state'>;
  readonly sidecarPaths: Gauge<'path'>;
  readonly metAddresses: Gauge;
  readonly problems: Gauge<'severity'>;
  readonly sourceAge: Gauge<'kind'>;
  readonly sourceObjects: Gauge<'kind'>;
  readonly sourceLists: Counter<'kind'>;
  readonly sourceEvents: Counter<'kind' | 'type'>;
  readonly sourceFailures: Counter<'kind' | 'call'>;
  readonly admissions: Counter<'outcome'>;
  readonly admissionSeconds: Histogram;
  readonly certificateExpiry: Gauge<'certificate'>;
  readonly uninjected: Gauge;
  readonly flowsLost: Counter<'where'>;
  readonly edgesMissed: Counter;
  readonly storeBytes: Gauge;
  readonly storeOldest: Gauge;
  readonly storeFails: Gauge;
}

/** Seconds; 0.2 is the bound on an edit, 0.1 the one on ending flows. */
const LATENCY_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 5];

/**
 * Makes the metrics, in a registry of their own.
 * @param collect Called before each scrape, to set the gauges.
 */
export function createInjectorMetrics(collect?: (metrics: InjectorMetrics) => void): InjectorMetrics {
  const registry = new Registry();
  const registers = [registry];
  const metrics: InjectorMetrics = {
    registry,
    framesSent: new Counter({
      name: 'sluice_injector_frames_sent_total',
      help: 'Frames queued for sidecars, by type.',
      labelNames: ['type'],
      registers,
    }),
    sessionsCut: new Counter({
      name: 'sluice_injector_sessions_cut_total',
      help: 'Sidecar connections the injector ended, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    nacks: new Counter({
      name: 'sluice_injector_nacks_total',
      help: 'Tables and deltas that a sidecar refused.',
      registers,
    }),
    updateSeconds: new Histogram({
      name: 'sluice_injector_update_seconds',
      help: 'Time to make and queue all tables after a change of the cluster.',
      buckets: LATENCY_BUCKETS,
      registers,
    }),
    enforceSeconds: new Histogram({
      name: 'sluice_injector_enforce_seconds',
      help: 'Time from sending a table to the word that it is enforced.',
      buckets: LATENCY_BUCKETS,
      registers,
    }),
    revision: new Gauge({
      name: 'sluice_injector_revision',
      help: 'Revision of the cluster; grows with each change.',
      registers,
      collect: () => collect?.(metrics),
    }),
    sidecars: new Gauge({
      name: 'sluice_injector_sidecars',
      help: 'Pods that policy can select, by the state of their sidecar: enforcing, behind, absent.',
      labelNames: ['state'],
      registers,
    }),
    sidecarPaths: new Gauge({
      name: 'sluice_injector_sidecar_paths',
      help: 'Connected sidecars, by the way that inbound TCP takes to their apps: proxy, direct, mixed.',
      labelNames: ['path'],
      registers,
    }),
    metAddresses: new Gauge({
      name: 'sluice_injector_met_addresses',
      help: 'Members of large groups that sidecars have met, those of each sidecar counted for itself.',
      registers,
    }),
    problems: new Gauge({
      name: 'sluice_injector_manifest_problems',
      help: 'Faults in manifests that are there now, by severity.',
      labelNames: ['severity'],
      registers,
    }),
    sourceAge: new Gauge({
      name: 'sluice_injector_source_age_seconds',
      help: 'Time since the API server last confirmed what is known of it, by kind of object.',
      labelNames: ['kind'],
      registers,
    }),
    sourceObjects: new Gauge({
      name: 'sluice_injector_source_objects',
      help: 'Objects known from the API server, by kind.',
      labelNames: ['kind'],
      registers,
    }),
    sourceLists: new Counter({
      name: 'sluice_injector_source_lists_total',
      help: 'Whole lists taken in from the API server, by kind.',
      labelNames: ['kind'],
      registers,
    }),
    sourceEvents: new Counter({
      name: 'sluice_injector_source_events_total',
      help: 'Watch events of the API server, by kind and type: put, remove, bookmark.',
      labelNames: ['kind', 'type'],
      registers,
    }),
    sourceFailures: new Counter({
      name: 'sluice_injector_source_failures_total',
      help: 'Lists and watches that failed, by kind and call.',
      labelNames: ['kind', 'call'],
      registers,
    }),
    admissions: new Counter({
      name: 'sluice_injector_admissions_total',
      help: 'Pods that the webhook was asked about, by outcome: injected, unchanged, skipped, opted-out, refused, error.',
      labelNames: ['outcome'],
      registers,
    }),
    admissionSeconds: new Histogram({
      name: 'sluice_injector_admission_seconds',
      help: 'Time from a whole request to the answer of the webhook.',
      buckets: LATENCY_BUCKETS,
      registers,
    }),
    certificateExpiry: new Gauge({
      name: 'sluice_injector_certificate_expiry_timestamp_seconds',
      help: "When the injector's certificates expire, seconds since 1970: serving, ca. Both are renewed long before.",
      labelNames: ['certificate'],
      registers,
    }),
    uninjected: new Gauge({
      name: 'sluice_injector_uninjected_pods',
      help: 'Pods of enabled namespaces that run without a sidecar: no policy is enforced on them. Looked for every 5 s.',
      registers,
    }),
    flowsLost: new Counter({
      name: 'sluice_flows_lost_total',
      help: 'Flows that are not in the store, by where they were lost: sidecar, size, rate, queue, away, form, kinds, minutes, hours; events: single events.',
      labelNames: ['where'],
      registers,
    }),
    edgesMissed: new Counter({
      name: 'sluice_followed_edges_missed_total',
      help: 'Edges that were not sent to one who follows: more than 1,000 a second fitted, too many kinds came at a time, or the reader was slow.',
      registers,
    }),
    storeBytes: new Gauge({
      name: 'sluice_store_bytes',
      help: 'Size of the files that hold observed flows.',
      registers,
    }),
    storeOldest: new Gauge({
      name: 'sluice_store_oldest_timestamp_seconds',
      help: 'Begin of the first hour of which observed flows are kept, seconds since 1970; 0: none is.',
      registers,
    }),
    storeFails: new Gauge({
      name: 'sluice_store_fails',
      help: '1 while observed flows cannot be written to their files; they are in memory then.',
      registers,
    }),
  };
  registerActiveResources('sluice_injector_active_resources', registry);
  return metrics;
}
