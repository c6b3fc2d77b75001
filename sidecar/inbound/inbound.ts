/**
 * The life of one inbound connection, top to bottom: accepted by the relay, registered, judged, admitted, ended,
 * recorded. A change of the table between any two of these finds it in the live table and judges it again.
 */
import { unreachable } from '../../common/errors.ts';
import { isInboundPort } from '../../common/inbound_ports.ts';
import type { ConnectionPath } from '../../common/path.ts';
import type { FlowEnd, RefusalReason } from '../../flows/index.ts';
import type { Judge, PeerIdentity, Verdict } from '../../policy/index.ts';
import type { Recorder, SidecarMetrics } from '../records/index.ts';
import type { Canary } from '../redirect/index.ts';
import type { Connection, ConnectionOwner, Ending, Endpoint } from '../relay/index.ts';
import {
  type Enforcement,
  type FlowJudge,
  type FormerVerdict,
  formerVerdict,
  type LiveFlow,
  type LiveTable,
  type Owners,
  type Revocation,
} from '../table/index.ts';
import type { Backlogs, Dialled } from './backlogs.ts';
import type { InboundFailures } from './failures.ts';

/** What all inbound connections of a sidecar share. */
export interface InboundContext {
  /** Whether connections are the relay's, or the app's own sockets. */
  readonly path: ConnectionPath;
  readonly enforcement: Enforcement;
  readonly live: LiveTable;
  /** Names peers. */
  readonly owners: Pick<Owners, 'meet' | 'known'>;
  /** Most flows of this path at once. */
  readonly connectionLimit: number;
  readonly inboundPort: number;
  readonly canaryPort: number;
  readonly adminPort: number;
  /** Has dialled the connections that come to the canary port. */
  readonly canary: Pick<Canary, 'arrived'>;
  /** Called once per flow, when it ends or is refused. */
  readonly recorder: Pick<Recorder, 'flow'>;
  readonly metrics: Pick<SidecarMetrics, 'verdictTaken'>;
  /** Has to know of each connection that is admitted, and so dialled. */
  readonly backlogs: Pick<Backlogs, 'dialled'>;
  readonly failures: Pick<InboundFailures, 'dialFailed'>;
}

const MS_PER_SECOND = 1000;

/** What /connections shows of a live flow. */
export interface FlowView {
  readonly path: ConnectionPath;
  readonly state: 'dialling' | 'relaying' | 'ending';
  readonly since: string;
  /** `pod` as `namespace/name`, with its `workload`, where the source is known to be a pod. */
  readonly src: {
    readonly addr: string;
    readonly port: number;
    readonly pod?: string;
    readonly workload?: string;
  };
  readonly dst: { readonly addr: string; readonly port: number };
  readonly verdict: Verdict;
  readonly bytes_sent: number;
  readonly bytes_recv: number;
}

/** The canary's own connection: nothing is recorded of its end. */
const CANARY_CONNECTION: ConnectionOwner = { ended() {} };

/** Takes over an accepted connection. @returns what it is to the sidecar; it hears of its end */
export function acceptInbound(connection: Connection, context: InboundContext): ConnectionOwner {
  const { source, destination } = connection;
  if (destination.port === context.canaryPort && source.address === destination.address) {
    context.canary.arrived(connection.family, source.port);
    connection.finish();
    return CANARY_CONNECTION;
  }
  const flow = new InboundFlow(connection, context);
  flow.start();
  return flow;
}

/** Why this side ended a flow. */
interface OwnEnd {
  readonly end: FlowEnd;
  readonly refusal?: RefusalReason;
  /** Of what a change of the table ended. */
  readonly was?: FormerVerdict | undefined;
}

/** One flow. */
export class InboundFlow implements LiveFlow, Dialled, ConnectionOwner {
  readonly #connection: Connection;
  readonly #context: InboundContext;
  /** Of `performance.now`, in whole ms: they take no memory beside the field. */
  readonly #startedAtMs = Math.floor(performance.now());
  /** Which pod the source was when the flow began, if the table says it; filled in when it learns of the pod only later. */
  #tag: string | undefined;
  #verdict: Verdict = { verdict: 'deny', direction: 'ingress', reason: 'no-table' };
  #ownEnd: OwnEnd | undefined;
  #hasEnded = false;

  constructor(connection: Connection, context: InboundContext) {
    this.#connection = connection;
    this.#context = context;
    this.#meet(context.enforcement.judge?.tag(connection.source.address));
  }

  /** The source is the pod of this tag, if it is one: who that is will be known when the flow ends. */
  #meet(tag: string | undefined): void {
    const { address } = this.#connection.source;
    this.#tag = tag;
    if (tag !== undefined && this.#context.enforcement.self(address) === undefined)
      this.#context.owners.meet(address, tag);
  }

  get path(): ConnectionPath {
    return this.#context.path;
  }

  get sourceAddress(): string {
    return this.#connection.source.address;
  }

  get destination(): Endpoint {
    return this.#connection.destination;
  }

  isSettled(): boolean {
    return this.#hasEnded || this.#ownEnd !== undefined || this.#connection.progress().relaying;
  }

  start(): void {
    const { path, live, connectionLimit } = this.#context;
    if (this.#isOwnPort()) return this.#refuse('reserved-port');
    if (path === 'proxy' && isLinkLocal(this.#connection.source.address)) return this.#refuse('link-local');
    if (live.sizeOf(path) >= connectionLimit) return this.#refuse('capacity');
    live.register(this); // before the verdict: a change of the table from here on finds this flow
    this.#decide(true);
  }

  /** @param mayAsk false where the injector was asked whether partial groups have the source */
  #decide(mayAsk: boolean): void {
    if (this.#ownEnd !== undefined) return; // a change of the table has ended it meanwhile
    this.#verdict = this.#judge();
    if (this.#verdict.verdict === 'allow') {
      this.#connection.admit();
      return this.#context.backlogs.dialled(this);
    }
    // It was admitted as if by this table: the gate does not have the rules that it should have.
    if (this.#connection.admittedSince) {
      this.#connection.doubtGate();
      return this.#endCut();
    }
    // The gate has let it by, so that an earlier table had the source: it gets an answer before it is refused.
    if (mayAsk && this.#askIfUnsure()) return;
    // What was admitted from memory may have reached the app: the table has changed since.
    if (this.#connection.admitted) this.#endCut();
    else this.#refuse();
  }

  /** A table that came before this flow was known disallows it. */
  #endCut(): void {
    this.#end({ end: 'policy-changed', was: this.#allowedBy(this.#context.enforcement.before) });
  }

  #allowedBy(before: Judge | undefined): FormerVerdict | undefined {
    const { source, destination } = this.#connection;
    return formerVerdict(before, 'ingress', source.address, 'TCP', destination.port);
  }

  /** @returns whether the source is asked about */
  #askIfUnsure(): boolean {
    const { source, destination } = this.#connection;
    const question = { direction: 'ingress', protocol: 'TCP', port: destination.port } as const;
    return this.#context.enforcement.askIfUnsure({ ...question, peer: source.address }, () => {
      if (!this.#hasEnded) this.#decide(false);
    });
  }

  /** A connection to the sidecar itself, rather than through the redirect, has nowhere to go. */
  #isOwnPort(): boolean {
    const { port } = this.#connection.destination;
    const { inboundPort, canaryPort, adminPort } = this.#context;
    return isInboundPort(inboundPort, port) || port === canaryPort || port === adminPort;
  }

  #judge(): Verdict {
    const { source, destination } = this.#connection;
    const before = performance.now();
    const verdict = this.#context.enforcement.verdict('ingress', source.address, 'TCP', destination.port);
    this.#context.metrics.verdictTaken((performance.now() - before) / MS_PER_SECOND);
    return verdict;
  }

  #refuse(refusal?: RefusalReason): void {
    this.#end(refusal === undefined ? { end: 'refused' } : { end: 'refused', refusal });
  }

  #end(ownEnd: OwnEnd): void {
    this.#ownEnd ??= ownEnd;
    this.#connection.reset();
  }

  revoked(judge: FlowJudge): Revocation | undefined {
    if (this.#ownEnd !== undefined) return undefined; // it is ending already
    const { source, destination } = this.#connection;
    const tag = judge.tag(source.address);
    const verdict = judge.judge('ingress', source.address, 'TCP', destination.port);
    if (verdict.verdict === 'deny') {
      const isUnsure = judge.isUnsure('ingress', source.address, 'TCP', destination.port);
      return { cause: 'policy-changed', verdict, isUnsure };
    }
    // Rights never pass to a new owner of an address: what the old one opened ends.
    if (this.#tag !== undefined && tag !== undefined && tag !== this.#tag) {
      return { cause: 'peer-replaced', verdict };
    }
    if (this.#tag === undefined) this.#meet(tag);
    return undefined;
  }

  resetSource(): void {
    this.#connection.resetSource();
  }

  cut({ cause, verdict }: Revocation, before?: Judge): void {
    this.#verdict = verdict;
    this.#end({ end: cause, was: this.#allowedBy(before) });
  }

  drain(): void {
    this.#end({ end: 'drained' });
  }

  /** The relay has closed everything: one record is written. */
  ended(ending: Ending): void {
    this.#hasEnded = true;
    this.#context.live.forget(this);
    const { end, refusal, was } = this.#ownEnd ?? this.#endOf(ending);
    const { enforcement } = this.#context;
    const { source, destination } = this.#connection;
    const tag = this.#tag ?? enforcement.judge?.tag(source.address);
    this.#context.recorder.flow({
      path: this.path,
      verdict: this.#verdict,
      ...(refusal === undefined ? {} : { refusal }),
      ...(was === undefined ? {} : { was }),
      end,
      protocol: 'TCP',
      source: { ...source, identity: enforcement.self(source.address), tag },
      destination: { ...destination, identity: enforcement.self(destination.address) },
      bytesSent: ending.toSource,
      bytesReceived: ending.fromSource,
      durationMs: ending.durationMs,
      revision: enforcement.revision,
    });
  }

  /** How a flow ended that this side has not ended. */
  #endOf({ end, error }: Ending): OwnEnd {
    switch (end) {
      case 'closed':
      case 'reset-by-source':
      case 'reset-by-destination':
      case 'peer-timeout':
      case 'stalled':
      case 'idle-timeout':
        return { end };
      case 'broken':
        return { end: 'reset' };
      case 'unreachable':
        return { end: 'app-unreachable' };
      case 'shortage':
        return { end: 'refused', refusal: 'capacity' };
      case 'dial-failed':
        this.#context.failures.dialFailed(error ?? 'unknown');
        return { end: 'app-unreachable' };
      case 'reset':
        return { end: 'drained' }; // the relay has been closed
      default:
        return unreachable(end);
    }
  }

  /** A plain view for /connections. A source whose name is not known is asked for: the next view may have it. */
  view(): FlowView {
    const { source, destination } = this.#connection;
    const { relaying, fromSource, toSource } = this.#connection.progress();
    const pod = this.#sourcePod();
    return {
      path: this.path,
      state: this.#ownEnd !== undefined ? 'ending' : relaying ? 'relaying' : 'dialling',
      since: new Date(performance.timeOrigin + this.#startedAtMs).toISOString(),
      src: {
        ...at(source),
        ...(pod === undefined ? {} : { pod: `${pod.namespace}/${pod.name}`, workload: pod.workload }),
      },
      dst: at(destination),
      verdict: this.#verdict,
      bytes_sent: toSource,
      bytes_recv: fromSource,
    };
  }

  #sourcePod(): Pick<PeerIdentity, 'namespace' | 'name' | 'workload'> | undefined {
    const { address } = this.#connection.source;
    const { enforcement, owners } = this.#context;
    const self = enforcement.self(address);
    if (self !== undefined || this.#tag === undefined) return self;
    owners.meet(address, this.#tag);
    return owners.known(address, this.#tag, 'name') ?? undefined;
  }
}

function at({ address, port }: Endpoint): { addr: string; port: number } {
  return { addr: address, port };
}

/** fe80::/10, RFC 4291: such an address means nothing without its link, so the app leg cannot come from it. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/.test(address);
}
