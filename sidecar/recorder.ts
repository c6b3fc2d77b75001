/** The one place that records flows: history, metrics and log line of each come from the same record. */
import type { Logger } from 'pino';
import { type Direction, type Protocol, type Verdict, virtualKey } from '../policy/index.ts';
import type { Enforcement } from './enforcement.ts';
import type { FlowHistory } from './flow_history.ts';
import { type FlowFacts, type FlowRecord, flowRecord, type RefusalReason } from './flow_record.ts';
import type { DeniedPeer } from './gate/denied.ts';
import { familyOf } from './gate/plan.ts';
import type { SidecarMetrics } from './metrics.ts';
import type { Side } from './netlink/conntrack.ts';
import type { EndedOutbound } from './outbound.ts';

/** Whom a dropped packet was for. */
type Target = Side & { readonly service?: NonNullable<FlowFacts['service']> };

/** Records what ended, was refused or was dropped. */
export class Recorder {
  readonly #history: FlowHistory;
  readonly #metrics: SidecarMetrics;
  readonly #enforcement: Enforcement;
  readonly #log: Logger;

  constructor(history: FlowHistory, metrics: SidecarMetrics, enforcement: Enforcement, log: Logger) {
    this.#history = history;
    this.#metrics = metrics;
    this.#enforcement = enforcement;
    this.#log = log;
  }

  /** A flow that ended or was refused. */
  flow(record: FlowRecord, verdict: Verdict): void {
    this.#history.add(record);
    this.#metrics.flowEnded(record, verdict);
    const { time: _, ...fields } = record; // the log line has its own
    if (record.verdict === 'deny') this.#log.warn(fields, 'flow denied');
    else this.#log.info(fields, 'flow ended');
  }

  /** A peer whose packets the gate dropped: the same record as a refusal by the proxy. */
  dropped(direction: Direction, { address, protocol, port, packets }: DeniedPeer): void {
    const { judge } = this.#enforcement;
    const target: Target = direction === 'egress' ? this.#target(address, protocol, port) : { address, port };
    const verdict = this.#enforcement.explain(direction, target.address, protocol, target.port);
    const own = judge?.table.subject.ips.find((ip) => familyOf(ip) === familyOf(address)) ?? '';
    const peer = { address: target.address, port: target.port, identity: judge?.identify(target.address) };
    const pod = { address: own, identity: judge?.identify(own) };
    const record = flowRecord(
      {
        verdict,
        ...(verdict.verdict === 'allow' ? { refusal: this.#refusal(target) } : {}),
        end: 'dropped',
        protocol,
        source: direction === 'ingress' ? { address: peer.address, identity: peer.identity } : pod,
        destination: direction === 'ingress' ? { ...pod, port } : peer,
        ...(target.service === undefined ? {} : { service: target.service }),
        packets,
        bytesSent: 0,
        bytesReceived: 0,
        durationMs: 0,
        revision: this.#enforcement.revision,
      },
      new Date(),
    );
    this.flow(record, verdict);
  }

  /** Why packets were dropped that policy allows: their Service has no backend, or the table came a moment too late. */
  #refusal({ service, address }: Target): RefusalReason {
    return service !== undefined && address === service.virtual.address ? 'no-backend' : 'not-yet-allowed';
  }

  /** A connection of the pod's own that was destroyed because the table no longer allows it. */
  outbound(ended: EndedOutbound): void {
    const { local, remote, backend, identity, bytesSent, bytesReceived, revocation } = ended;
    const { cause, verdict } = revocation;
    const explained =
      verdict.verdict === 'deny'
        ? this.#enforcement.explain('egress', backend.address, 'TCP', backend.port)
        : verdict;
    const { service } = this.#target(remote.address, 'TCP', remote.port);
    const record = flowRecord(
      {
        verdict: explained,
        end: cause,
        protocol: 'TCP',
        source: { ...local, identity: this.#enforcement.judge?.identify(local.address) },
        destination: { ...backend, identity },
        ...(service === undefined ? {} : { service }),
        bytesSent: bytesReceived, // to the source, which is the pod
        bytesReceived: bytesSent,
        durationMs: 0,
        revision: this.#enforcement.revision,
      },
      new Date(),
    );
    this.flow(record, explained);
  }

  /** What policy was asked about: for a Service's virtual address the first of its backends. */
  #target(address: string, protocol: Protocol, port: number): Target {
    const virtual = this.#enforcement.table?.services[virtualKey(address, protocol, port)];
    if (virtual === undefined) return { address, port };
    const { namespace, name, backends } = virtual;
    return {
      ...(backends[0] ?? { address, port }),
      service: { namespace, name, virtual: { address, port } },
    };
  }

  /** Dropped packets that got no record of their own: too many peers at once, or other protocols. */
  droppedMore(direction: Direction, summary: { readonly peers: number; readonly packets: number }): void {
    this.#log.warn({ direction, ...summary }, 'more packets dropped');
  }
}
