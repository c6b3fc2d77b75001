/** A kernel without connections but those that a test puts there, and the sidecar's part that follows them. */
import { expect } from 'vitest';
import { SluiceError } from '../../../../common/errors.ts';
import { createJudge } from '../../../../policy/index.ts';
import { DirectFlows } from '../../../../sidecar/direct/direct_flows.ts';
import type { DirectKernel } from '../../../../sidecar/direct/direct_kernel.ts';
import type { Side, TrackedEntry } from '../../../../sidecar/kernel/conntrack.ts';
import type { EndedSocket } from '../../../../sidecar/kernel/socket_ends.ts';
import { type SocketPair, socketCookie, type TcpSocket } from '../../../../sidecar/kernel/tcp_sockets.ts';
import type { Connection, Ending } from '../../../../sidecar/relay/relay.ts';
import { table } from '../../../builders/tables.ts';

export const POD = '10.0.0.100';
export const ALLOWED = '10.0.0.1';
export const DENIED = '10.0.0.2';
export const EOPNOTSUPP = -95;

export const app: Side = { address: POD, port: 80 };
export const client = (port: number, address = ALLOWED): Side => ({ address, port });

export function begun(remote: Side, local = app): TrackedEntry {
  const entry = { family: 2, tuple: new Uint8Array(), id: new Uint8Array(4) };
  const counts = { bytesSent: 0, bytesReceived: 0 };
  const ends = { source: remote, destination: local, answering: local, answered: remote };
  return { protocol: 'TCP', ...ends, isAssured: true, tcpState: 3, ...counts, entry };
}

export function gone(remote: Side, more: Partial<EndedSocket> = {}): EndedSocket {
  return { local: app, remote, cookie: 0, bytesSent: 2, bytesReceived: 3, end: 'closed', ...more };
}

/** A kernel that has what a test puts there. */
export class FakeKernel {
  readonly begins: TrackedEntry[] = [];
  readonly gone: EndedSocket[] = [];
  sockets: TcpSocket[] = [];
  /** Answered, and not completed. */
  handshakes: TrackedEntry[] = [];
  /** Those that rules have led elsewhere; and what connection tracking has for ports of clients, where that is not the usual. */
  moved: TrackedEntry[] = [];
  readonly flows = new Map<number, TrackedEntry>();
  readonly forgotten: number[] = [];
  isLost = false;
  /** Another connection begins each time that somebody looks: of this client, from the next port. */
  flood: { readonly address: string; port: number } | undefined;
  result = 0;
  /** Ports of clients whose sockets it does not destroy. */
  readonly kept = new Set<number>();
  /** What else happens while an order is carried out. @param _ended by it */
  whileOrdered: (_ended: readonly TcpSocket[]) => void | Promise<void> = () => {};
  /** What else happens when ends have been read. */
  whenEndsAreRead: () => void = () => {};
  /** So many questions, or orders, are not answered. */
  failures = 0;
  readonly destroyed: number[] = [];
  /** How many connections it was asked about. */
  asked = 0;
  /** Ports of clients whose flows connection tracking has picked up when the app sent something. */
  readonly pickedUp = new Set<number>();
  /** Ports of clients whose sockets it has in its list, and does not find when it is asked for them. */
  readonly hidden = new Set<number>();
  isListening = true;
  ready: () => void = () => {};
  isArmed = false;
  /** How often somebody has looked for beginnings. */
  reads = 0;
  #cookie = 1;

  /** Reports these, and says so where somebody waits for that. */
  report(...begins: readonly TrackedEntry[]): void {
    this.begins.push(...begins);
    if (!this.isArmed) return;
    this.isArmed = false;
    this.ready();
  }

  /** A socket of the app's; its beginning may be reported. */
  socket(remote: Side, isArriving = false): TcpSocket {
    const id = new Uint8Array(48);
    id[40] = this.#cookie & 0xff;
    id[41] = this.#cookie >> 8;
    this.#cookie += 1;
    const counts = { bytesSent: 5, bytesReceived: 7 };
    const socket = { local: app, remote, isArriving, ...counts, handle: { family: 2, id } };
    this.sockets.push(socket);
    return socket;
  }

  mayFail(): void {
    if (this.failures === 0) return;
    this.failures -= 1;
    throw new SluiceError('SOCKET_FAILED', 'too many open files');
  }

  find({ local, remote, cookie }: SocketPair): TcpSocket | undefined {
    if (this.hidden.has(remote.port)) return undefined;
    const found = this.sockets.find(
      (one) => one.remote.port === remote.port && one.local.port === local.port,
    );
    return cookie === undefined || found === undefined || cookie === socketCookie(found.handle)
      ? found
      : undefined;
  }
}

/** Follows what a kernel reports. */
export function following(kernel: FakeKernel, { allowed = [ALLOWED], mustEnd = true } = {}) {
  const accepted: Connection[] = [];
  const ended: { readonly port: number; readonly ending: Ending }[] = [];
  const overruns: number[] = [];
  const unknownEnds: number[] = [];
  const notEnded: string[] = [];
  const judge = createJudge(table({ revision: 1, allowed }));
  const fake: DirectKernel = {
    beginnings: () => ({
      receive: () => {
        kernel.reads += 1;
        if (kernel.isLost) {
          kernel.isLost = false;
          throw new SluiceError('NETLINK_OVERRUN', 'lost');
        }
        if (kernel.flood !== undefined) {
          kernel.flood.port += 1;
          kernel.begins.push(begun(client(kernel.flood.port, kernel.flood.address)));
        }
        const some = kernel.begins.splice(0);
        return some.length === 0 ? undefined : some.map((flow) => ({ flow, gone: false }));
      },
      close() {},
      fd: 0,
    }),
    ends: (_wanted, isNews) => ({
      receive: () => {
        const some = kernel.gone.splice(0);
        if (some.length > 0) kernel.whenEndsAreRead();
        return some.length === 0 ? undefined : some.filter(({ cookie }) => isNews(cookie));
      },
      close() {},
      fd: 0,
    }),
    readiness: (_of, ready) => {
      kernel.ready = ready;
      return {
        arm: () => {
          kernel.isArmed = true;
          if (kernel.begins.length + kernel.gone.length > 0) kernel.report();
        },
        close() {},
      };
    },
    async *sockets(wanted) {
      yield kernel.sockets.filter(({ local, remote }) => wanted(local, remote));
    },
    socketsAt(ends) {
      kernel.mayFail();
      kernel.asked += ends.length;
      return ends.map((one) => kernel.find(one));
    },
    async destroyAt(ends) {
      const found = fake.socketsAt(ends);
      const there = found.filter((one) => one !== undefined);
      const results = await fake.destroy(there);
      return found.map((socket) => socket && { socket, result: results[there.indexOf(socket)] ?? 0 });
    },
    flowsOf: async (sockets) =>
      sockets.map(({ local, remote }) =>
        kernel.pickedUp.has(remote.port)
          ? { ...begun(local, remote), isPickedUp: true }
          : (kernel.flows.get(remote.port) ?? begun(remote)),
      ),
    isListening: async () => kernel.isListening,
    async destroy(sockets) {
      kernel.mayFail();
      for (const { remote } of sockets) kernel.destroyed.push(remote.port);
      const results = sockets.map(({ remote }) =>
        kernel.kept.has(remote.port) ? EOPNOTSUPP : kernel.result,
      );
      const ended = sockets.filter((_, index) => results[index] === 0);
      kernel.sockets = kernel.sockets.filter((one) => !ended.includes(one));
      await kernel.whileOrdered(ended);
      return results;
    },
    cookies: () => ({ mayBeValid: () => kernel.handshakes.length > 0 }),
    async *movedFlows() {
      yield kernel.moved;
    },
    async *openHandshakes() {
      yield kernel.handshakes;
    },
    async forget(flows) {
      kernel.mayFail();
      for (const { source } of flows) kernel.forgotten.push(source.port);
      return flows.map(() => 0);
    },
  };
  const ports = {
    isDirect: (port: number) => port === 80,
    isOwn: (port: number) => port === 15_006,
    wanted: { ports: [80], are: 'wanted' as const },
    isExempt: (address: string) => address === '10.0.0.254',
  };
  const flows = new DirectFlows(
    ports,
    {
      accepted(connection) {
        accepted.push(connection);
        if (judge.judge('ingress', connection.source.address, 'TCP', 80).verdict === 'deny')
          connection.reset();
        return { ended: (ending) => ended.push({ port: connection.source.port, ending }) };
      },
    },
    () => judge,
    {
      overrun: () => overruns.push(1),
      unknownEnded: () => unknownEnds.push(1),
      failed: (error) => expect.unreachable(error.message),
      notEnded: (problem) => notEnded.push(problem),
    },
    mustEnd,
    fake,
  );
  return { flows, accepted, ended, overruns, unknownEnds, notEnded };
}
