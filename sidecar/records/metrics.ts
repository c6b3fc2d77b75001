/** The sidecar's Prometheus metrics. docs/reference/metrics.md is made from this registry. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { registerActiveResources } from '../../common/active_resources.ts';
import { unreachable } from '../../common/errors.ts';
import { CONNECTION_PATHS, type ConnectionPath } from '../../common/path.ts';
import type { Direction, PolicyRef, Verdict } from '../../policy/index.ts';
import type { Binding, GuardReason } from '../guard/index.ts';
import { type InForce, PHASES, phase } from '../in_force/index.ts';
import { type FlowFacts, isCut, isDenied } from './flow_record.ts';

/** The label `policy` of denials where no rule came near. */
const NO_POLICY = '(none)';

/** Seconds. A verdict takes microseconds; the last buckets show a blocked process. */
const VERDICT_BUCKETS_SECONDS = [1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 1e-3, 1e-2];

/** Figures that are read when /metrics is asked for. */
export interface Gauges {
  connectionsOpen(path: ConnectionPath): number;
  /** Which paths connections take, and why. */
  paths(): {
    readonly paths: { readonly usual: string; readonly others: readonly number[] };
    readonly reason: string;
  };
  connectionsLimit(): number;
  tableRevision(): number;
  /** Seconds since the injector last said that the table is current, or the table of the disk was written; absent before the first table. */
  tableAgeSeconds(): number | undefined;
  servicesPartlyAllowed(): number;
  partialGroups(): number;
  /** Members of those that the sidecar knows. */
  metAddresses(): number;
  inForce(): InForce;
  /** Addresses of the pod's own node that are known in this way. */
  ownNodeAddresses(kind: Binding['kind']): number;
}

/** Label values of `sluice_own_node_addresses`. */
const BINDINGS: readonly Binding['kind'][] = ['link', 'address-alone', 'unresolved'];

/** Flows that connection tracking has added up: how many, and bytes to their source and from it. */
export interface FlowSums {
  readonly flows: number;
  readonly sent: number;
  readonly received: number;
}

/** Counts what happens, and reads the rest when /metrics is asked for. */
export class SidecarMetrics {
  readonly registry = new Registry();
  readonly #connections: Counter<'direction' | 'verdict' | 'reason'>;
  readonly #terminated: Counter<'reason'>;
  readonly #verdicts: Counter<'direction' | 'verdict' | 'policy_namespace' | 'policy'>;
  readonly #received: Counter<'direction'>;
  readonly #sent: Counter<'direction'>;
  readonly #verdictDuration: Histogram;
  readonly #acceptErrors: Counter;
  readonly #gateDrops: Counter<'direction'>;
  readonly #framesRefused: Counter;
  readonly #outboundOverruns: Counter;
  readonly #directOverruns: Counter;
  readonly #directUnknownEnds: Counter;
  readonly #guardDrops: Counter<'reason'>;
  readonly #gatewayDisputes: Counter;
  readonly #peerTimeouts: Counter;
  readonly #unanswered: Counter;

  constructor(version: string) {
    const registers = [this.registry];
    this.#connections = new Counter({
      name: 'sluice_connections_total',
      help: 'Flows that ended or were refused, by the verdict they ended with. What the gate drops counts by record, not by packet or peer.',
      labelNames: ['direction', 'verdict', 'reason'],
      registers,
    });
    this.#terminated = new Counter({
      name: 'sluice_connections_terminated_total',
      help: 'Live flows that were cut: policy-changed, peer-replaced, service-unresolved.',
      labelNames: ['reason'],
      registers,
    });
    this.#verdicts = new Counter({
      name: 'sluice_policy_verdicts_total',
      help: 'Verdicts by policy: the one that allowed; of denials the one whose rule came nearest, or (none) where no rule is known to have come near. What the gate drops counts by record, not by packet or peer.',
      labelNames: ['direction', 'verdict', 'policy_namespace', 'policy'],
      registers,
    });
    this.#received = new Counter({
      name: 'sluice_received_bytes_total',
      help: 'Bytes received from the sources of ended flows.',
      labelNames: ['direction'],
      registers,
    });
    this.#sent = new Counter({
      name: 'sluice_sent_bytes_total',
      help: 'Bytes sent to the sources of ended flows.',
      labelNames: ['direction'],
      registers,
    });
    this.#verdictDuration = new Histogram({
      name: 'sluice_verdict_duration_seconds',
      help: 'Time one verdict takes.',
      buckets: VERDICT_BUCKETS_SECONDS,
      registers,
    });
    this.#acceptErrors = new Counter({
      name: 'sluice_accept_errors_total',
      help: 'Connections that could not be accepted, for want of file descriptors or because the client had gone.',
      registers,
    });
    this.#gateDrops = new Counter({
      name: 'sluice_gate_drops_total',
      help: 'Packets that the gate dropped; exact, retransmissions count. Of a restarted sidecar it starts with what the kernel had counted before.',
      labelNames: ['direction'],
      registers,
    });
    this.#guardDrops = new Counter({
      name: 'sluice_guard_drops_total',
      help: "Packets that the guard dropped: forged-source (what left with an address that is not the pod's), forged-node (what came with the own node's address from elsewhere), source-route, foreign-router (router advertisements).",
      labelNames: ['reason'],
      registers,
    });
    this.#gatewayDisputes = new Counter({
      name: 'sluice_gateway_disputes_total',
      help: "Times that somebody else answered for the own node's next hop, which still answered itself.",
      registers,
    });
    this.#framesRefused = new Counter({
      name: 'sluice_frames_refused_total',
      help: 'Frames of the injector that were refused whole: the last good table stays in force.',
      registers,
    });
    this.#outboundOverruns = new Counter({
      name: 'sluice_outbound_overruns_total',
      help: 'Times that more flows ended at once than could be taken note of: some have no record and are not counted.',
      registers,
    });
    this.#directOverruns = new Counter({
      name: 'sluice_direct_overruns_total',
      help: 'Times that direct connections could not be taken note of, because too many began or ended at once, or are open: some have no record. A change of the table ends them all the same.',
      registers,
    });
    this.#directUnknownEnds = new Counter({
      name: 'sluice_direct_unknown_ends_total',
      help: 'Direct connections that ended and that the sidecar had not taken note of: they have no record. Counts for an address and port of the pod from the first connection there that has one. While a change ends thousands, a few of these may be counted too.',
      registers,
    });
    this.#peerTimeouts = new Counter({
      name: 'sluice_peer_timeouts_total',
      help: 'Inbound flows that ended because nothing came back from one side any more.',
      registers,
    });
    this.#unanswered = new Counter({
      name: 'sluice_meet_unanswered_total',
      help: 'Times that the injector did not say in time whether an address is in a large group: a flow that only such a group allows was then ended or refused.',
      registers,
    });
    new Gauge({
      name: 'sluice_build_info',
      help: 'Always 1; the labels name the version.',
      labelNames: ['version', 'node'],
      registers,
    }).set({ version, node: process.version }, 1);
    registerActiveResources('sluice_active_resources', this.registry);
  }

  /** Adds the figures that are read when they are asked for. To be called once, before /metrics is served. */
  readFrom(gauges: Gauges): void {
    const registers = [this.registry];
    const gauge = (name: string, help: string, read: () => number | undefined): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          const value = read();
          if (value === undefined) this.remove();
          else this.set(value);
        },
      });
    };
    new Gauge({
      name: 'sluice_own_node_addresses',
      help: 'Addresses of the own node: known by their link-layer address, by the address-alone, or unresolved and shut out.',
      labelNames: ['known_by'],
      registers,
      collect() {
        for (const kind of BINDINGS) this.set({ known_by: kind }, gauges.ownNodeAddresses(kind));
      },
    });
    new Gauge({
      name: 'sluice_connections_open',
      help: 'Flows being judged, dialled or relayed by the proxy, and those of direct ports.',
      labelNames: ['direction', 'path'],
      registers,
      collect() {
        for (const path of CONNECTION_PATHS)
          this.set({ direction: 'ingress', path }, gauges.connectionsOpen(path));
      },
    });
    new Gauge({
      name: 'sluice_path_info',
      help: 'Always 1. path: the usual path of inbound TCP connections, proxy or direct. others: how many ports have the other one. reason: set, probed (auto, and the kernel can do the direct path) or fell-back (auto, and it cannot).',
      labelNames: ['path', 'others', 'reason'],
      registers,
      collect() {
        const { paths, reason } = gauges.paths();
        this.set({ path: paths.usual, others: paths.others.length, reason }, 1);
      },
    });
    gauge('sluice_connections_limit', 'Most flows at once; excess is refused.', () =>
      gauges.connectionsLimit(),
    );
    gauge(
      'sluice_gate_in_force',
      '1 while the kernel enforces the table, else 0: an older one is then in force there, or none.',
      () => (gauges.inForce().gate.state === 'in-force' ? 1 : 0),
    );
    new Gauge({
      name: 'sluice_in_force',
      help: 'How much of the table is in force; 1 for the state of now, 0 for the others: nothing (everything is denied), proxy-only (on its way to the kernel and the disk), all, less (the gate or the redirect is lost). Only all is acknowledged to the injector.',
      labelNames: ['state'],
      registers,
      collect() {
        const now = phase(gauges.inForce());
        for (const state of PHASES) this.set({ state }, state === now ? 1 : 0);
      },
    });
    gauge(
      'sluice_services_partly_allowed',
      "Services' virtual ports of which egress policy allows some ready backends and not others.",
      () => gauges.servicesPartlyAllowed(),
    );
    gauge(
      'sluice_partial_groups',
      'Large groups of the table of which the sidecar knows only the members that it has met.',
      () => gauges.partialGroups(),
    );
    gauge(
      'sluice_met_addresses',
      'Addresses in large groups that the sidecar has met. Above 4096 it is sent large groups whole.',
      () => gauges.metAddresses(),
    );
    gauge('sluice_table_revision', 'Revision of the table in force; 0 before the first.', () =>
      gauges.tableRevision(),
    );
    gauge('sluice_table_age_seconds', 'Time since the injector last said that the table is current.', () =>
      gauges.tableAgeSeconds(),
    );
    gauge('sluice_redirect_intact', '1 while the redirect rules are in force, else 0.', () =>
      gauges.inForce().redirect.state === 'intact' ? 1 : 0,
    );
  }

  /** @param seconds how long the verdict took */
  verdictTaken(seconds: number): void {
    this.#verdictDuration.observe(seconds);
  }

  gateDropped(direction: Direction, packets: number): void {
    this.#gateDrops.inc({ direction }, packets);
  }

  /** Ends of outbound flows were lost. The kernel does not say how many. */
  outboundOverrun(): void {
    this.#outboundOverruns.inc();
  }

  /** Direct connections could not be taken note of. */
  directOverrun(): void {
    this.#directOverruns.inc();
  }

  /** A direct connection has ended of which no note was taken. */
  directUnknownEnded(): void {
    this.#directUnknownEnds.inc();
  }

  guardDropped(reason: GuardReason, packets: number): void {
    this.#guardDrops.inc({ reason }, packets);
  }

  meetUnanswered(): void {
    this.#unanswered.inc();
  }

  gatewayDisputed(): void {
    this.#gatewayDisputes.inc();
  }

  frameRefused(): void {
    this.#framesRefused.inc();
  }

  acceptFailed(): void {
    this.#acceptErrors.inc();
  }

  /**
   * Counts a flow that ended or was refused.
   * @param verdict of the facts, explained where it is a denial
   */
  flowEnded(facts: FlowFacts, verdict: Verdict): void {
    const { refusal, end, bytesReceived = 0, bytesSent = 0 } = facts;
    const { direction } = verdict;
    const said = isDenied(facts) ? 'deny' : 'allow';
    this.#connections.inc({ direction, verdict: said, reason: refusal ?? verdict.reason });
    if (isCut(facts)) this.#terminated.inc({ reason: end });
    if (end === 'peer-timeout') this.#peerTimeouts.inc();
    if (bytesReceived > 0) this.#received.inc({ direction }, bytesReceived);
    if (bytesSent > 0) this.#sent.inc({ direction }, bytesSent);
    if (refusal === undefined) this.#judged(verdict, 1);
  }

  /** Counts flows that connection tracking has added up. */
  flowsEnded(verdict: Verdict, reason: string, sums: FlowSums): void {
    const { direction } = verdict;
    const { flows, sent, received } = sums;
    if (flows > 0) this.#connections.inc({ direction, verdict: 'allow', reason }, flows);
    if (received > 0) this.#received.inc({ direction }, received);
    if (sent > 0) this.#sent.inc({ direction }, sent);
    if (flows > 0 && verdict.verdict === 'allow') this.#judged(verdict, flows);
  }

  #judged(verdict: Verdict, flows: number): void {
    const policy = decidingPolicy(verdict);
    if (policy === undefined) return;
    this.#verdicts.inc(
      {
        direction: verdict.direction,
        verdict: verdict.verdict,
        policy_namespace: policy.namespace,
        policy: policy.name,
      },
      flows,
    );
  }
}

/** The policy that allowed, or whose rule came nearest; none where no policy was asked. */
function decidingPolicy(verdict: Verdict): PolicyRef | undefined {
  switch (verdict.reason) {
    case 'rule':
      return verdict.policy;
    case 'no-rule':
      return verdict.near?.[0]?.policy ?? noPolicy(verdict.isolating);
    case 'no-table':
    case 'not-isolated':
    case 'self':
    case 'own-node':
    case 'not-a-pod':
      return undefined;
    default:
      return unreachable(verdict);
  }
}

/** Nobody came near: the namespace alone is known, which all that isolate have in common. */
function noPolicy([first]: readonly PolicyRef[]): PolicyRef | undefined {
  return first && { namespace: first.namespace, name: NO_POLICY };
}
