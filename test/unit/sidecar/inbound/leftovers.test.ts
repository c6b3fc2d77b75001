import { expect, test } from 'vitest';
import { createJudge } from '../../../../policy/index.ts';
import { endLeftovers, type LeftoverKernel } from '../../../../sidecar/inbound/leftovers.ts';
import type { Side, TrackedFlow } from '../../../../sidecar/kernel/conntrack.ts';
import type { TcpSocket } from '../../../../sidecar/kernel/tcp_sockets.ts';
import { table, withPolicies } from '../../../builders/tables.ts';

const POD = '10.0.0.100';
const ALLOWED = '10.0.0.1';
const DENIED = '10.0.0.2';
const NODE = '10.0.0.254';
/** Of `translatedPorts`. */
const TRANSLATED = 15_022;

const app = (port = 80): Side => ({ address: POD, port });
const client = (address = DENIED): Side => ({ address, port: 40_000 });

function flow(source: Side, destination: Side, more: Partial<TrackedFlow> = {}): TrackedFlow {
  const ends = {
    source,
    destination,
    answering: destination,
    answered: source,
    bytesSent: 0,
    bytesReceived: 0,
  };
  return { protocol: 'TCP', ...ends, isAssured: true, tcpState: 3, ...more };
}

/** What the kernel has of one that is over. */
interface Left {
  readonly local?: Side;
  readonly remote?: Side;
  readonly flow?: TrackedFlow | undefined;
}

/** @returns how many of these the sidecar has destroyed, and at which places it has asked for a listener */
async function end(left: readonly Left[], listening: readonly number[] = [80]) {
  const sockets = left.map(({ local = app(), remote = client() }): TcpSocket => {
    const counts = { bytesSent: 0, bytesReceived: 0 };
    return { local, remote, isArriving: false, ...counts, handle: { family: 2, id: new Uint8Array(48) } };
  });
  let destroyed = 0;
  const asked: number[] = [];
  const kernel: LeftoverKernel = {
    async *sockets(wanted) {
      yield sockets.filter(({ local, remote }) => wanted(local, remote));
    },
    flowsOf: async (some) => some.map((socket) => left[sockets.indexOf(socket)]?.flow),
    async isListening({ port }) {
      asked.push(port);
      return listening.includes(port);
    },
    async destroy(some) {
      destroyed += some.length;
      return some.map(() => 0);
    },
  };
  const open = table({ revision: 1 });
  const policy = { namespace: 'shop', name: 'allow' };
  const peer = (address: string) => [{ kind: 'ipBlock' as const, cidr: `${address}/32`, except: [] }];
  const ports = [{ protocol: 'TCP' as const, from: TRANSLATED, to: TRANSLATED }];
  const ingress = [
    { policy, index: 0, ports: [], peers: peer(ALLOWED) },
    { policy, index: 1, ports, peers: peer(DENIED) },
  ];
  await endLeftovers(
    createJudge(withPolicies(open, { policy, ingress })),
    (address, port) => address === NODE && port === 80,
    (port) => port >= TRANSLATED && port < TRANSLATED + 8,
    kernel,
  );
  return { destroyed, asked };
}

test.each<{ what: string; left: Left; destroyed: number }>([
  { what: 'a denied client', left: { flow: flow(client(), app()) }, destroyed: 1 },
  {
    what: 'an allowed client',
    left: { remote: client(ALLOWED), flow: flow(client(ALLOWED), app()) },
    destroyed: 0,
  },
  { what: 'the node', left: { remote: client(NODE), flow: flow(client(NODE), app()) }, destroyed: 0 },
  { what: 'a peer that the app has called', left: { flow: flow(app(), client()) }, destroyed: 0 },
])('what is left for $what: $destroyed destroyed, and no listener asked for', async ({ left, destroyed }) => {
  expect(await end([left])).toEqual({ destroyed, asked: [] });
});

test.each([
  ['does not know', undefined],
  ['has picked up as the own of the app', flow(app(), client(), { isPickedUp: true })],
  ['has picked up as that of the client', flow(client(), app(), { isPickedUp: true })],
])('of one that connection tracking %s a listener says who has opened it', async (_, known) => {
  expect(await end([{ flow: known }])).toEqual({ destroyed: 1, asked: [80] });
  expect(await end([{ flow: known }], [])).toEqual({ destroyed: 0, asked: [80] });
});

test('a listener is asked for once, however many connections it has had', async () => {
  const many = Array.from({ length: 500 }, () => ({ flow: undefined }));
  expect(await end(many)).toEqual({ destroyed: 500, asked: [80] });
});

test.each([
  ['denied at', DENIED, 80, 1],
  ['denied at, though a rule of policy names the port of the proxy', DENIED, 81, 1],
  ['allowed at', ALLOWED, 80, 0],
  ['let in without policy at', NODE, 80, 0],
])(
  'one that came by translation is judged by the port its client is %s',
  async (_, address, port, destroyed) => {
    const remote = client(address);
    const moved = flow(remote, app(port), { answering: app(TRANSLATED) });
    expect(await end([{ local: app(TRANSLATED), remote, flow: moved }])).toEqual({ destroyed, asked: [] });
  },
);
