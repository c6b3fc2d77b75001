/**
 * The life of one proxied connection, top to bottom: accepted from TPROXY, registered, judged, dialled on, judged again,
 * relayed, ended, recorded. `inbound.ts` and `outbound.ts` say what differs between the directions.
 */
import type net from 'node:net';
import { SluiceError } from '../policy/errors.ts';
import type { Direction, Judge, PodIdentity, Verdict } from '../policy/index.ts';
import type { Enforcement } from './enforcement.ts';
import { type FlowEnd, type FlowRecord, flowRecord, type RefusalReason } from './flow_record.ts';
import { isPortClash } from './legs.ts';
import type { LiveFlow, LiveTable, Revocation } from './live_table.ts';
import { type RelayContext, relay, resetSocket } from './relay.ts';

/** What all proxied connections of a sidecar share. */
export interface ProxyContext extends RelayContext {
  readonly enforcement: Enforcement;
  readonly live: LiveTable;
  /** Most flows at once. */
  readonly connectionLimit: number;
  readonly connectTimeoutMs: number;
  readonly keepAliveMs: number;
  /** Called once per flow, when it ends or is refused. */
  record(record: FlowRecord, verdict: Verdict): void;
  /** The client had gone before it could be judged. */
  acceptFailed(): void;
  /** No socket could be made for the leg, for another reason than load. */
  dialFailed(error: Error): void;
  /** Duration of a verdict, seconds. */
  verdictTaken(seconds: number): void;
}

/** An address and port. */
export interface Side {
  readonly address: string;
  readonly port: number;
}

/** What a flow is, and what differs between the directions. */
export interface ProxiedConnection {
  readonly direction: Direction;
  readonly source: Side;
  /** Where the client meant to go: for egress this may be a Service's virtual address. */
  readonly destination: Side;
  /** Whom policy is asked about: the source inbound, the destination or the chosen backend outbound. */
  readonly peer: string;
  /** The port at the destination pod. */
  readonly port: number;
  /** The Service that the destination stands for, and the backend that was chosen. */
  readonly service?: { readonly namespace: string; readonly name: string; readonly backend: Side };
  /** Dials the other leg. @throws SluiceError `SOCKET_*` */
  dial(): net.Socket;
  /** A dial met a connection of its own 4-tuple: the next one should be far from it. */
  clashed(): void;
}

/**
 * Most dials of one flow. A clash means that this client holds a flow from that port: the next one is far away, so
 * only a client with most ports in use clashes often.
 */
const DIAL_ATTEMPTS = 16;

const NS_PER_SECOND = 1e9;

/** What /connections shows of a live flow. */
export interface FlowView {
  readonly direction: Direction;
  readonly state: ProxiedFlow['state'];
  readonly since: string;
  readonly src: { readonly addr: string; readonly port: number };
  readonly dst: { readonly addr: string; readonly port: number };
  /** `namespace/name` of the pod that owns the peer's address. */
  readonly peer?: string;
  readonly service?: string;
  readonly verdict: Verdict;
  readonly bytes_sent: number;
  readonly bytes_recv: number;
}

/** One flow. `state` only moves forward. */
export class ProxiedFlow implements LiveFlow {
  readonly #client: net.Socket;
  readonly #context: ProxyContext;
  readonly #connection: ProxiedConnection;
  readonly #startedAtMs = performance.now();
  /** Who the peer was when the flow began; filled in when the table learns of the pod only later. */
  #identity: PodIdentity | undefined;
  #leg: net.Socket | undefined;
  #connectTimer: NodeJS.Timeout | undefined;
  #verdict: Verdict;
  #state: 'judging' | 'dialling' | 'relaying' | 'ended' = 'judging';

  /** @param client accepted, not read from; its errors are handled until the relay does */
  constructor(client: net.Socket, context: ProxyContext, connection: ProxiedConnection) {
    this.#client = client;
    this.#context = context;
    this.#connection = connection;
    this.#identity = context.enforcement.judge?.identify(connection.peer);
    this.#verdict = { verdict: 'deny', direction: connection.direction, reason: 'no-table' };
  }

  get direction(): Direction {
    return this.#connection.direction;
  }

  get state(): 'judging' | 'dialling' | 'relaying' | 'ended' {
    return this.#state;
  }

  start(): void {
    const { live, connectionLimit } = this.#context;
    if (live.size >= connectionLimit) return this.#refuse('capacity');
    live.register(this); // before the verdict: a change of the table from here on finds this flow
    this.#verdict = this.#judge();
    if (this.#verdict.verdict === 'deny') return this.#refuse();
    this.#dial(1);
  }

  #judge(): Verdict {
    const { direction, peer, port } = this.#connection;
    const before = process.hrtime.bigint();
    const verdict = this.#context.enforcement.verdict(direction, peer, 'TCP', port);
    this.#context.verdictTaken(Number(process.hrtime.bigint() - before) / NS_PER_SECOND);
    return verdict;
  }

  #dial(attempt: number): void {
    this.#state = 'dialling';
    let leg: net.Socket;
    try {
      leg = this.#connection.dial();
    } catch (error) {
      if (isShortage(error)) return this.#refuse('capacity');
      this.#context.dialFailed(error as Error);
      return this.#finish('unreachable');
    }
    this.#leg = leg;
    this.#connectTimer = setTimeout(() => this.#finish('unreachable'), this.#context.connectTimeoutMs);
    const failed = (error: NodeJS.ErrnoException): void => {
      clearTimeout(this.#connectTimer);
      if (this.#state !== 'dialling') return;
      if (isPortClash(error) && attempt < DIAL_ATTEMPTS) {
        this.#connection.clashed();
        return this.#dial(attempt + 1);
      }
      this.#finish('unreachable');
    };
    leg.once('error', failed);
    leg.once('connect', () => {
      clearTimeout(this.#connectTimer);
      leg.off('error', failed);
      this.#connected(leg);
    });
  }

  /** Asks again: the table may have changed in the meantime. */
  #connected(leg: net.Socket): void {
    if (this.#state !== 'dialling') return;
    if (this.#client.destroyed) return this.#finish('reset-by-source');
    this.#verdict = this.#judge();
    if (this.#verdict.verdict === 'deny') return this.#refuse();
    this.#state = 'relaying';
    for (const socket of [this.#client, leg]) {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, this.#context.keepAliveMs);
    }
    relay(this.#client, leg, this.#context, (end) => this.#finish(end));
  }

  /** Ends a flow that was not let through. Without `refusal` it is policy's verdict. */
  refuse(refusal: RefusalReason): void {
    this.#refuse(refusal);
  }

  #refuse(refusal?: RefusalReason): void {
    this.#finish('refused', refusal);
  }

  /** The one end of every flow: nothing stays open, one record is written. */
  #finish(end: FlowEnd, refusal?: RefusalReason): void {
    if (this.#state === 'ended') return;
    this.cut();
    this.#record(end, refusal);
  }

  revoked(judge: Judge): Revocation | undefined {
    const { direction, peer, port } = this.#connection;
    const owner = judge.identify(peer);
    const verdict = judge.judge(direction, peer, 'TCP', port);
    if (verdict.verdict === 'deny') return { cause: 'policy-changed', verdict };
    // Rights never pass to a new owner of an address: what began with the old one ends.
    if (this.#identity !== undefined && owner !== undefined && owner.uid !== this.#identity.uid) {
      return { cause: 'peer-replaced', verdict };
    }
    this.#identity ??= owner;
    return undefined;
  }

  /** Resets both ends and leaves the live table. On a flow that closed by itself only the latter is left to do. */
  cut(): void {
    this.#state = 'ended';
    clearTimeout(this.#connectTimer);
    this.#context.live.forget(this);
    resetSocket(this.#client, this.#context.sockets);
    if (this.#leg !== undefined) resetSocket(this.#leg, this.#context.sockets);
  }

  recordCut(revocation: Revocation): void {
    this.#verdict = revocation.verdict;
    this.#record(revocation.cause);
  }

  /** Ends the flow because the sidecar stops. */
  drain(): void {
    this.#finish('drained');
  }

  #record(end: FlowEnd, refusal?: RefusalReason): void {
    const { enforcement } = this.#context;
    const { direction, source, destination, peer, port, service } = this.#connection;
    const { judge } = enforcement;
    // The near miss is looked for only now: it is slow, and only a denial needs it.
    const denied = refusal === undefined && this.#verdict.verdict === 'deny';
    const verdict = denied ? enforcement.explain(direction, peer, 'TCP', port) : this.#verdict;
    const identify = (address: string): PodIdentity | undefined =>
      address === peer ? (this.#identity ?? judge?.identify(address)) : judge?.identify(address);
    const record = flowRecord(
      {
        verdict,
        ...(refusal === undefined ? {} : { refusal }),
        end,
        protocol: 'TCP',
        source: { ...source, identity: identify(source.address) },
        destination: {
          ...(service?.backend ?? destination),
          identity: identify(service?.backend.address ?? destination.address),
        },
        ...(service === undefined ? {} : { service: { ...service, virtual: destination } }),
        bytesSent: this.#client.bytesWritten,
        bytesReceived: this.#client.bytesRead,
        durationMs: performance.now() - this.#startedAtMs,
        revision: enforcement.revision,
      },
      new Date(),
    );
    this.#context.record(record, verdict);
  }

  /** A plain view for /connections. */
  view(): FlowView {
    const { direction, source, destination, service } = this.#connection;
    return {
      direction,
      state: this.#state,
      since: new Date(performance.timeOrigin + this.#startedAtMs).toISOString(),
      src: {
        addr: source.address,
        port: source.port,
      },
      dst: { addr: destination.address, port: destination.port },
      ...(this.#identity === undefined ? {} : { peer: `${this.#identity.namespace}/${this.#identity.name}` }),
      ...(service === undefined ? {} : { service: `${service.namespace}/${service.name}` }),
      verdict: this.#verdict,
      bytes_sent: this.#client.bytesWritten,
      bytes_recv: this.#client.bytesRead,
    };
  }
}

/** Out of descriptors, or of ports. */
function isShortage(error: unknown): boolean {
  const codes = ['SOCKET_DESCRIPTORS_EXHAUSTED', 'SOCKET_ADDRESS_IN_USE'];
  return error instanceof SluiceError && codes.includes(error.code);
}
