/** The one place that records flows: history, metrics and log line of each come from the same record. */
import type { Logger } from 'pino';
import type { RecordLog } from '../../common/log.ts';
import type { RefusalReason } from '../../flows/index.ts';
import {
  type Direction,
  familyOf,
  type Judge,
  type Protocol,
  type Verdict,
  virtualKey,
} from '../../policy/index.ts';
import type { DeniedPeer } from '../gate/kernel/index.ts';
import type { Side } from '../kernel/index.ts';
import type { Enforcement, Need, Owner, Owners } from '../table/index.ts';
import type { EndedOutbound } from './ended_outbound.ts';
import { type FactsSide, type FlowFacts, recordOf } from './flow_record.ts';
import type { FlowHistory } from './history.ts';
import type { SidecarMetrics } from './metrics.ts';

/** What a dropped packet was sent to. */
type Target = Side & { readonly service?: NonNullable<FlowFacts['service']> };

/** What a recorder writes to, and asks. */
export interface RecorderParts {
  readonly history: FlowHistory;
  readonly metrics: SidecarMetrics;
  readonly enforcement: Enforcement;
  readonly owners: Owners;
  readonly log: Logger;
  /** Where the line of each flow goes. */
  readonly lines: RecordLog;
}

/** Records what ended, was refused or was dropped. */
export class Recorder {
  readonly #history: FlowHistory;
  readonly #metrics: SidecarMetrics;
  readonly #enforcement: Enforcement;
  readonly #owners: Owners;
  readonly #log: Logger;
  readonly #lines: RecordLog;

  constructor(parts: RecorderParts) {
    this.#history = parts.history;
    this.#owners = parts.owners;
    this.#metrics = parts.metrics;
    this.#enforcement = parts.enforcement;
    this.#log = parts.log;
    this.#lines = parts.lines;
  }

  /** A flow that ended, was refused or was dropped. Its record is written once it is known who the other side is. */
  flow(facts: FlowFacts): void {
    const now = new Date();
    const { judge } = this.#enforcement;
    const write = (owner: Owner) => this.#write(facts, judge, owner, now);
    const need = needOf(facts);
    if (need === undefined) return write(null);
    const { address, tag } = peerOf(facts);
    const known = this.#owners.known(address, tag, need);
    if (known !== undefined) write(known);
    else void this.#owners.find(address, tag, need).then(write);
  }

  #write(facts: FlowFacts, judge: Judge | undefined, owner: Owner, now: Date): void {
    const verdict = this.#explained(facts, judge, owner);
    const record = recordOf(facts, verdict, owner ?? undefined, now);
    this.#history.add(record);
    this.#metrics.flowEnded(record, verdict);
    if (record.verdict === 'deny') this.#lines.write('warn', record, 'flow denied');
    else this.#lines.write('info', record, 'flow ended');
  }

  /** The rules that came near are looked for only now: it is slow, and only a denial by policy needs them. */
  #explained(facts: FlowFacts, judge: Judge | undefined, owner: Owner): Verdict {
    const { verdict, refusal, protocol, destination, service } = facts;
    if (refusal !== undefined || verdict.reason !== 'no-rule') return verdict;
    const peer = peerOf(facts).address;
    const question = {
      direction: verdict.direction,
      peer,
      protocol,
      port: destination.port,
      ...(service === undefined ? {} : { servicePort: service.virtual.port }),
    };
    const explained = this.#enforcement.explain(judge, question, owner);
    // The table that denied has been replaced by one that allows: no rule is near any more.
    return explained.verdict === 'deny' ? explained : verdict;
  }

  /** A peer whose packets the gate dropped: the same record as a refusal by the proxy. */
  dropped(direction: Direction, { address, protocol, port, packets }: DeniedPeer): void {
    const { judge } = this.#enforcement;
    const target: Target = direction === 'egress' ? this.#target(address, protocol, port) : { address, port };
    const verdict = this.#enforcement.verdict(direction, target.address, protocol, target.port);
    const subject = judge?.table.subject;
    const own = subject?.ips.find((ip) => familyOf(ip) === familyOf(address));
    const peer = {
      address: target.address,
      port: target.port,
      identity: this.#enforcement.self(target.address),
      tag: judge?.tag(target.address),
    };
    const pod = { address: own ?? '', identity: own === undefined ? undefined : subject };
    const refusal = refusalOf(target, verdict);
    this.flow({
      verdict,
      ...(refusal === undefined ? {} : { refusal }),
      end: 'dropped',
      protocol,
      source:
        direction === 'ingress' ? { address: peer.address, identity: peer.identity, tag: peer.tag } : pod,
      destination: direction === 'ingress' ? { ...pod, port } : peer,
      ...(target.service === undefined ? {} : { service: target.service }),
      packets,
      revision: this.#enforcement.revision,
    });
  }

  /** A flow of the pod's own that ended, or that was ended because the table no longer allows it. */
  outbound(ended: EndedOutbound): void {
    const { protocol, local, remote, backend, tag, bytesSent, bytesReceived, verdict, end, was } = ended;
    const { service } = this.#target(remote.address, protocol, remote.port);
    this.flow({
      verdict,
      end,
      protocol,
      source: { ...local, identity: this.#enforcement.self(local.address) },
      destination: { ...backend, identity: this.#enforcement.self(backend.address), tag },
      ...(service === undefined ? {} : { service }),
      bytesSent: bytesReceived, // to the source, which is the pod
      bytesReceived: bytesSent,
      ...(was === undefined ? {} : { was }),
      revision: this.#enforcement.revision,
    });
  }

  /** What policy was asked about: for a Service's virtual address the first of its backends. */
  #target(address: string, protocol: Protocol, port: number): Target {
    const virtual = this.#enforcement.table?.services.get(virtualKey(address, protocol, port));
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

/** The other side, as policy sees the flow. */
function peerOf({ verdict, source, destination }: FlowFacts): FactsSide {
  return verdict.direction === 'ingress' ? source : destination;
}

/**
 * What has to be known of the other side. A denial by policy is explained by its labels; any other record needs just the name. About
 * the pod itself and its node nobody is asked.
 */
function needOf(facts: FlowFacts): Need | undefined {
  const { reason } = facts.verdict;
  if (reason === 'self' || reason === 'own-node' || peerOf(facts).identity !== undefined) return undefined;
  return reason === 'no-rule' && facts.refusal === undefined ? 'labels' : 'name';
}

/**
 * Why packets were dropped, where it was not policy: their Service has no backend, so that policy had no address to judge,
 * or the table that allows them came a moment too late.
 */
function refusalOf({ service, address }: Target, verdict: Verdict): RefusalReason | undefined {
  if (service !== undefined && address === service.virtual.address) return 'no-backend';
  return verdict.verdict === 'allow' ? 'not-yet-allowed' : undefined;
}
