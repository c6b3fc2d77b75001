/**
 * The one place that flows go to when they end or are refused. Each is counted. A denial or a cut has a record at once, for the log and
 * for the injector; of others the record is made when somebody reads it.
 */
import type { Logger } from 'pino';
import type { FlowLog, RecordLog } from '../../common/log.ts';
import type { FlowRecord, RefusalReason } from '../../flows/index.ts';
import {
  type Direction,
  familyOf,
  type Judge,
  type PolicyRef,
  type Protocol,
  type Verdict,
  virtualKey,
} from '../../policy/index.ts';
import type { FlowCounts } from '../flows/index.ts';
import type { DeniedPeer } from '../gate/kernel/index.ts';
import type { Side } from '../kernel/index.ts';
import type { Enforcement, Need, Owner, Owners } from '../table/index.ts';
import type { EndedOutbound } from './ended_outbound.ts';
import { type FlowFacts, outcomeOf, peerOf, recordOf } from './flow_record.ts';
import type { FlowHistory } from './history.ts';
import type { FlowSums, SidecarMetrics } from './metrics.ts';
import { PassedFlow } from './passed_flow.ts';

/**
 * The reason of a flow that passed, and that the table in force denies: an earlier one allowed it, and what was its rule is not known
 * any more.
 */
const EARLIER_TABLE = 'earlier-table';

/** Flows that connection tracking reported, added up. */
export interface TrackedSums extends FlowSums {
  readonly direction: Direction;
  readonly protocol: Protocol;
  /** Of the other side. */
  readonly address: string;
  /** Of the destination. */
  readonly port: number;
}

/** What a dropped packet was sent to. */
type Target = Side & { readonly service?: NonNullable<FlowFacts['service']> };

/** What a recorder writes to, and asks. */
export interface RecorderParts {
  readonly history: FlowHistory;
  readonly metrics: SidecarMetrics;
  readonly enforcement: Enforcement;
  readonly owners: Owners;
  readonly log: Logger;
  readonly counts: FlowCounts;
  /** Where the lines of flows go, and which flows have one. */
  readonly lines: RecordLog;
  readonly flowLog: FlowLog;
}

/** Counts and records what ended, was refused or was dropped. */
export class Recorder {
  readonly #history: FlowHistory;
  readonly #metrics: SidecarMetrics;
  readonly #enforcement: Enforcement;
  readonly #owners: Owners;
  readonly #log: Logger;
  readonly #counts: FlowCounts;
  readonly #lines: RecordLog;
  readonly #flowLog: FlowLog;

  constructor(parts: RecorderParts) {
    this.#history = parts.history;
    this.#owners = parts.owners;
    this.#metrics = parts.metrics;
    this.#enforcement = parts.enforcement;
    this.#log = parts.log;
    this.#counts = parts.counts;
    this.#lines = parts.lines;
    this.#flowLog = parts.flowLog;
  }

  /** A flow that ended, was refused or was dropped. */
  flow(facts: FlowFacts): void {
    if (outcomeOf(facts) === 'allow') this.#passed(facts);
    else this.#stopped(facts);
  }

  #passed(facts: FlowFacts): void {
    this.#count(facts, facts.verdict);
    const passed = new PassedFlow(facts, needOf(facts) === undefined ? undefined : this.#owners);
    this.#history.addPassed(passed);
    if (this.#flowLog !== 'all') return;
    const record = passed.record();
    if (record instanceof Promise) void record.then((made) => this.#line(made));
    else this.#line(record);
  }

  /** The record is written once it is known who the other side is. */
  #stopped(facts: FlowFacts): void {
    const now = new Date();
    const order = this.#history.next();
    const { judge } = this.#enforcement;
    const write = (owner: Owner) => this.#write(facts, { judge, owner, now, order });
    const need = needOf(facts);
    if (need === undefined) return write(null);
    const { address, tag } = peerOf(facts);
    const known = this.#owners.known(address, tag, need);
    if (known !== undefined) write(known);
    else void this.#owners.find(address, tag, need).then(write);
  }

  #write(facts: FlowFacts, { judge, owner, now, order }: Stop): void {
    const verdict = this.#explained(facts, judge, owner);
    const record = recordOf(facts, verdict, owner ?? undefined, now);
    this.#history.addStopped(order, record);
    this.#count(facts, verdict);
    this.#counts.event(record);
    if (this.#flowLog !== 'none') this.#line(record);
  }

  #line(record: FlowRecord): void {
    if (record.verdict === 'deny') this.#lines.write('warn', record, 'flow denied');
    else this.#lines.write('info', record, 'flow ended');
  }

  /** Counts it in the metrics and for the injector. @param verdict of the facts, explained where it is a denial */
  #count(facts: FlowFacts, verdict: Verdict): void {
    this.#metrics.flowEnded(facts, verdict);
    const { refusal, protocol, destination, service } = facts;
    const { address, tag, identity } = peerOf(facts);
    const by = refusal === undefined ? decidedBy(verdict) : undefined;
    this.#counts.add({
      direction: verdict.direction,
      outcome: outcomeOf(facts),
      protocol,
      peer: address,
      isPod: tag !== undefined || identity !== undefined,
      port: destination.port,
      reason: refusal ?? verdict.reason,
      policy: by && policyName(by.policy),
      rule: by?.rule,
      service: service && `${service.namespace}/${service.name}`,
      flows: 1,
      packets: facts.packets ?? 0,
      sent: facts.bytesSent ?? 0,
      received: facts.bytesReceived ?? 0,
      millis: facts.durationMs ?? 0,
    });
  }

  /**
   * Flows that connection tracking has reported: they are counted, and have no records. They have passed, so that they are judged only to
   * know why.
   */
  tracked(sums: TrackedSums): void {
    const { judge } = this.#enforcement;
    if (judge === undefined) return; // there was none that could have let anything pass
    const { direction, protocol, address, port } = sums;
    const verdict = judge.judge(direction, address, protocol, port);
    const reason = verdict.verdict === 'deny' ? EARLIER_TABLE : verdict.reason;
    const by = verdict.reason === 'rule' ? verdict : undefined;
    this.#metrics.flowsEnded(verdict, reason, sums);
    this.#counts.add({
      direction,
      outcome: 'allow',
      protocol,
      peer: address,
      isPod: judge.tag(address) !== undefined,
      port,
      reason,
      policy: by && policyName(by.policy),
      rule: by?.rule,
      flows: sums.flows,
      packets: 0,
      sent: sums.sent,
      received: sums.received,
      millis: 0,
    });
  }

  /** Flows have ended that nobody could take note of: at most so many. */
  missed(flows: number): void {
    this.#counts.lose(flows);
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
    this.#counts.lose(Math.max(1, summary.peers));
    if (this.#flowLog !== 'none') this.#log.warn({ direction, ...summary }, 'more packets dropped');
  }
}

/** What the record of a denial or a cut waits with. */
interface Stop {
  /** In force when it happened. */
  readonly judge: Judge | undefined;
  readonly owner: Owner;
  readonly now: Date;
  /** Its place in the history. */
  readonly order: number;
}

/** The policy and rule that admitted a flow, or that came nearest. */
function decidedBy(verdict: Verdict): { readonly policy: PolicyRef; readonly rule: number } | undefined {
  if (verdict.reason === 'rule') return verdict;
  return verdict.reason === 'no-rule' ? verdict.near?.[0] : undefined;
}

function policyName({ namespace, name }: PolicyRef): string {
  return `${namespace}/${name}`;
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
