/** The one place that records flows: history, metrics and log line of each come from the same record. */
import type { Logger } from 'pino';
import type { Verdict } from '../policy/index.ts';
import type { Enforcement } from './enforcement.ts';
import type { FlowHistory } from './flow_history.ts';
import { type FlowRecord, flowRecord } from './flow_record.ts';
import type { DeniedPeer } from './gate/denied.ts';
import { familyOf } from './gate/plan.ts';
import type { SidecarMetrics } from './metrics.ts';

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
  dropped({ address, protocol, port, packets }: DeniedPeer): void {
    const { judge } = this.#enforcement;
    const verdict = this.#enforcement.explain('ingress', address, protocol, port);
    const own = judge?.table.subject.ips.find((ip) => familyOf(ip) === familyOf(address)) ?? '';
    const record = flowRecord(
      {
        verdict,
        ...(verdict.verdict === 'allow' ? { refusal: 'not-yet-allowed' as const } : {}),
        end: 'dropped',
        protocol,
        source: { address, identity: judge?.identify(address) },
        destination: { address: own, port, identity: judge?.identify(own) },
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

  /** Dropped packets that got no record of their own: too many peers at once, or other protocols. */
  droppedMore(summary: { readonly peers: number; readonly packets: number }): void {
    this.#log.warn(summary, 'more packets dropped');
  }
}
