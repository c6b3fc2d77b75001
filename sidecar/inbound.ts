/**
 * The life of one inbound connection, top to bottom: accepted from TPROXY, registered, judged, dialled on to the app,
 * judged again, relayed, ended, recorded.
 */
import type net from 'node:net';
import type { Family } from '../native/addon.ts';
import { SluiceError } from '../policy/errors.ts';
import { type Judge, type PodIdentity, socketAddress, type Verdict } from '../policy/index.ts';
import { type AppLegs, isPortClash } from './app_leg.ts';
import type { Enforcement } from './enforcement.ts';
import { type FlowEnd, type FlowRecord, flowRecord, type RefusalReason } from './flow_record.ts';
import type { LiveFlow, LiveTable, Revocation } from './live_table.ts';
import { type RelayContext, relay, resetSocket } from './relay.ts';

/** What all inbound connections of a sidecar share. */
export interface InboundContext extends RelayContext {
  readonly appLegs: AppLegs;
  readonly enforcement: Enforcement;
  readonly live: LiveTable;
  /** Most flows at once. */
  readonly connectionLimit: number;
  readonly connectTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly inboundPort: number;
  readonly canaryPort: number;
  readonly adminPort: number;
  /** Called once per flow, when it ends or is refused. */
  record(record: FlowRecord, verdict: Verdict): void;
  /** The client had gone before it could be judged. */
  acceptFailed(): void;
  /** No socket could be made for the app leg, for another reason than load. */
  dialFailed(error: Error): void;
  /** Duration of a verdict, seconds. */
  verdictTaken(seconds: number): void;
}

/**
 * Most dials of one flow. A clash means that this client holds a flow from that port: the next one is far away, so
 * only a client with most ports in use clashes often.
 */
const DIAL_ATTEMPTS = 16;

const NS_PER_SECOND = 1e9;

/** What /connections shows of a live flow. */
export interface FlowView {
  readonly state: InboundFlow['state'];
  readonly since: string;
  readonly src: { readonly addr: string; readonly port: number; readonly pod?: string };
  readonly dst: { readonly addr: string; readonly port: number };
  readonly verdict: Verdict;
  readonly bytes_sent: number;
  readonly bytes_recv: number;
}

/**
 * Takes over an accepted connection that has not been read from. Its local address is the original destination.
 * A connection whose client has already gone is only counted: there is no address to judge.
 */
export function acceptInbound(client: net.Socket, context: InboundContext): void {
  client.on('error', () => client.destroy()); // until the relay has its own handler
  const { remoteAddress, remotePort, localAddress, localPort } = client;
  if (
    remoteAddress === undefined ||
    remotePort === undefined ||
    localAddress === undefined ||
    localPort === undefined
  ) {
    client.destroy();
    context.acceptFailed();
    return;
  }
  if (localPort === context.canaryPort && remoteAddress === localAddress) {
    client.end(); // the redirect works: that is all the canary asks
    client.resume();
    return;
  }
  const flow = new InboundFlow(client, context, {
    family: localAddress.includes(':') ? 6 : 4,
    source: { address: socketAddress(remoteAddress), port: remotePort },
    destination: { address: socketAddress(localAddress), port: localPort },
  });
  flow.start();
}

interface Addresses {
  readonly family: Family;
  readonly source: { readonly address: string; readonly port: number };
  readonly destination: { readonly address: string; readonly port: number };
}

/** One flow. `state` only moves forward. */
export class InboundFlow implements LiveFlow {
  readonly #client: net.Socket;
  readonly #context: InboundContext;
  readonly #addresses: Addresses;
  readonly #startedAtMs = performance.now();
  /** Who the source was when the flow began; filled in when the table learns of the pod only later. */
  #identity: PodIdentity | undefined;
  #app: net.Socket | undefined;
  #connectTimer: NodeJS.Timeout | undefined;
  #verdict: Verdict;
  #state: 'judging' | 'dialling' | 'relaying' | 'ended' = 'judging';

  constructor(client: net.Socket, context: InboundContext, addresses: Addresses) {
    this.#client = client;
    this.#context = context;
    this.#addresses = addresses;
    this.#identity = context.enforcement.judge?.identify(addresses.source.address);
    this.#verdict = { verdict: 'deny', direction: 'ingress', reason: 'no-table' };
  }

  get state(): 'judging' | 'dialling' | 'relaying' | 'ended' {
    return this.#state;
  }

  start(): void {
    const { live, connectionLimit } = this.#context;
    if (this.#isOwnPort()) return this.#refuse('reserved-port');
    if (isLinkLocal(this.#addresses.source.address)) return this.#refuse('link-local');
    if (live.size >= connectionLimit) return this.#refuse('capacity');
    live.register(this); // before the verdict: a change of the table from here on finds this flow
    this.#verdict = this.#judge();
    if (this.#verdict.verdict === 'deny') return this.#refuse();
    this.#dial(1);
  }

  /** A connection to the sidecar itself, rather than through the redirect, has nowhere to go. */
  #isOwnPort(): boolean {
    const { port } = this.#addresses.destination;
    const { inboundPort, canaryPort, adminPort } = this.#context;
    return port === inboundPort || port === canaryPort || port === adminPort;
  }

  #judge(): Verdict {
    const { source, destination } = this.#addresses;
    const before = process.hrtime.bigint();
    const verdict = this.#context.enforcement.verdict('ingress', source.address, 'TCP', destination.port);
    this.#context.verdictTaken(Number(process.hrtime.bigint() - before) / NS_PER_SECOND);
    return verdict;
  }

  #dial(attempt: number): void {
    const { appLegs, connectTimeoutMs } = this.#context;
    const { family, source, destination } = this.#addresses;
    this.#state = 'dialling';
    let app: net.Socket;
    try {
      app = appLegs.dial({ family, clientAddress: source.address, ...destination });
    } catch (error) {
      if (isShortage(error)) return this.#refuse('capacity');
      this.#context.dialFailed(error as Error);
      return this.#finish('app-unreachable');
    }
    this.#app = app;
    this.#connectTimer = setTimeout(() => this.#finish('app-unreachable'), connectTimeoutMs);
    const failed = (error: NodeJS.ErrnoException): void => {
      clearTimeout(this.#connectTimer);
      if (this.#state !== 'dialling') return;
      if (isPortClash(error) && attempt < DIAL_ATTEMPTS) {
        appLegs.skipPorts();
        return this.#dial(attempt + 1);
      }
      this.#finish('app-unreachable');
    };
    app.once('error', failed);
    app.once('connect', () => {
      clearTimeout(this.#connectTimer);
      app.off('error', failed);
      this.#connected(app);
    });
  }

  /** Asks again: the table may have changed while the app was dialled. */
  #connected(app: net.Socket): void {
    if (this.#state !== 'dialling') return;
    if (this.#client.destroyed) return this.#finish('reset-by-source');
    this.#verdict = this.#judge();
    if (this.#verdict.verdict === 'deny') return this.#refuse();
    this.#state = 'relaying';
    for (const socket of [this.#client, app]) {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, this.#context.keepAliveMs);
    }
    relay(this.#client, app, this.#context, (end) => this.#finish(end));
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
    const { source, destination } = this.#addresses;
    const owner = judge.identify(source.address);
    const verdict = judge.judge('ingress', source.address, 'TCP', destination.port);
    if (verdict.verdict === 'deny') return { cause: 'policy-changed', verdict };
    // Rights never pass to a new owner of an address: what the old one opened ends.
    if (this.#identity !== undefined && owner !== undefined && owner.uid !== this.#identity.uid) {
      return { cause: 'peer-replaced', verdict };
    }
    this.#identity ??= owner;
    return undefined;
  }

  resetSource(): void {
    resetSocket(this.#client, this.#context.sockets);
  }

  /** Resets both ends and leaves the live table. On a flow that closed by itself only the latter is left to do. */
  cut(): void {
    this.#state = 'ended';
    clearTimeout(this.#connectTimer);
    this.#context.live.forget(this);
    resetSocket(this.#client, this.#context.sockets);
    if (this.#app !== undefined) resetSocket(this.#app, this.#context.sockets);
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
    const { source, destination } = this.#addresses;
    const { judge } = enforcement;
    // The near miss is looked for only now: it is slow, and only a denial needs it.
    const denied = refusal === undefined && this.#verdict.verdict === 'deny';
    const verdict = denied
      ? enforcement.explain('ingress', source.address, 'TCP', destination.port)
      : this.#verdict;
    const record = flowRecord(
      {
        verdict,
        ...(refusal === undefined ? {} : { refusal }),
        end,
        protocol: 'TCP',
        source: { ...source, identity: this.#identity ?? judge?.identify(source.address) },
        destination: { ...destination, identity: judge?.identify(destination.address) },
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
    const { source, destination } = this.#addresses;
    return {
      state: this.#state,
      since: new Date(performance.timeOrigin + this.#startedAtMs).toISOString(),
      src: {
        addr: source.address,
        port: source.port,
        ...(this.#identity === undefined
          ? {}
          : { pod: `${this.#identity.namespace}/${this.#identity.name}` }),
      },
      dst: { addr: destination.address, port: destination.port },
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

/** fe80::/10, RFC 4291: such an address means nothing without its link, so the app leg cannot come from it. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/.test(address);
}
