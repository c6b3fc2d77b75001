/** Which ends of outbound flows are reported; on a real kernel: test/netns/egress.test.ts. */
import { expect, onTestFinished, test } from 'vitest';
import { SluiceError } from '../../../../common/errors.ts';
import { createJudge, type Table } from '../../../../policy/index.ts';
import { TCP_STATES, type TrackedFlow } from '../../../../sidecar/kernel/conntrack.ts';
import type { FlowEvent } from '../../../../sidecar/kernel/conntrack_events.ts';
import { type FlowEvents, OutboundEnds } from '../../../../sidecar/outbound/ends.ts';
import type { EndedOutbound } from '../../../../sidecar/records/ended_outbound.ts';
import { table, withPolicies } from '../../../builders/tables.ts';

const POD = '10.0.0.100';
const PEER = { address: '10.0.0.9', port: 80 };
const INJECTOR = { address: '10.96.0.20', port: 15010 };
const policy = { namespace: 'shop', name: 'out' };
const free = table({ revision: 1 });
const isolated = (cidr: string): Table =>
  withPolicies(free, {
    policy,
    egress: [{ policy, index: 0, ports: [], peers: [{ kind: 'ipBlock', cidr, except: [] }] }],
  });
const open = isolated('0.0.0.0/0');

const flow = (port: number, more: Partial<TrackedFlow> = {}): TrackedFlow => ({
  protocol: 'TCP',
  source: { address: POD, port },
  destination: PEER,
  answering: PEER,
  answered: { address: POD, port },
  isAssured: true,
  tcpState: TCP_STATES.TIME_WAIT,
  bytesSent: 0,
  bytesReceived: 0,
  ...more,
});
const ended = (port: number, more: Partial<TrackedFlow> = {}): FlowEvent => ({
  flow: flow(port, more),
  gone: false,
});
const gone = (port: number, more: Partial<TrackedFlow> = {}): FlowEvent => ({
  flow: flow(port, more),
  gone: true,
});

/** Follows a kernel that has these to report, one after the other, and looks at what came of it. */
function follow(news: (FlowEvent | Error)[], judged: Table = open) {
  let current = judged;
  const reported: EndedOutbound[] = [];
  const seen = { reported, overruns: 0, failures: 0, opened: 0, closed: 0 };
  const events: FlowEvents = {
    receive() {
      const next = news.shift();
      if (next instanceof Error) throw next;
      return next && [next];
    },
    counted: async (flows) => flows.map((one) => ({ ...one, bytesSent: 7, bytesReceived: 9 })),
    close() {
      seen.closed += 1;
    },
  };
  const ends = new OutboundEnds(
    () => createJudge(current),
    {
      ended: (one) => reported.push(one),
      overrun() {
        seen.overruns += 1;
      },
      failed() {
        seen.failures += 1;
      },
    },
    {
      injector: INJECTOR,
      interfaces: () => [POD],
      open() {
        seen.opened += 1;
        return events;
      },
    },
  );
  onTestFinished(() => ends.close());
  ends.follow();
  const change = (next: Table): void => {
    current = next;
    ends.follow();
  };
  return { ends, seen, change, ports: () => reported.map(({ local }) => local.port) };
}

test('before the table has an address of the pod, those of its interfaces count', async () => {
  const { ends, ports } = follow([ended(1)], { ...open, subject: { ...open.subject, ips: [] } });
  await ends.close();
  expect(ports()).toEqual([1]);
});

test('a connection is reported once, however often its entry changes, and again when its port is used again', async () => {
  const reset = { tcpState: TCP_STATES.CLOSE };
  const { ends, seen, ports } = follow([
    ended(1),
    ended(1, reset),
    gone(1, reset),
    ended(1, reset),
    ended(2),
  ]);
  await ends.close();
  expect(ports()).toEqual([1, 1, 2]);
  expect(seen.reported.map(({ end }) => end)).toEqual(['closed', 'reset', 'closed']);
  expect(seen.reported[0]).toMatchObject({
    bytesSent: 7,
    bytesReceived: 9,
    verdict: { reason: 'rule', policy },
  });
});

test('a connection whose other end vanished is reported when its entry goes, other protocols always then', async () => {
  const [TCP, UDP, SCTP] = [{ tcpState: TCP_STATES.ESTABLISHED }, 'UDP', 'SCTP'] as const;
  const { ends, seen, ports } = follow([
    gone(1, TCP),
    gone(2, { protocol: UDP, isAssured: false, tcpState: undefined, bytesSent: 3 }),
    gone(3, { protocol: SCTP, tcpState: undefined }),
  ]);
  await ends.close();
  expect(ports()).toEqual([1, 2, 3]);
  expect(seen.reported[1]).toMatchObject({ protocol: 'UDP', end: 'closed', bytesSent: 3, bytesReceived: 0 });
  // Each flow has a packet of its source: nobody counted this one.
  expect([seen.reported[2]?.bytesSent, seen.reported[2]?.bytesReceived]).toEqual([undefined, undefined]);
});

test('nothing is reported of what came in, of the way to the injector, of what never came about, or of what is denied', async () => {
  const other = { address: '10.1.0.1', port: 80 };
  const { ends, ports } = follow(
    [
      ended(1, { source: PEER, destination: { address: POD, port: 80 } }),
      ended(2, { destination: INJECTOR }),
      ended(3, { isAssured: false }),
      ended(4, { answering: other }),
      ended(5, { answering: { address: POD, port: 80 } }),
      gone(6, { protocol: 'SCTP', isAssured: false, tcpState: undefined }),
      gone(7, { isAssured: false, tcpState: 1 }),
      ended(8),
    ],
    isolated('10.0.0.0/24'),
  );
  await ends.close();
  expect(ports()).toEqual([8]);
});

test('a connection has one record: of the cutter, or from here', async () => {
  const { ends, ports, seen } = follow([ended(1), ended(2), ended(3, { tcpState: TCP_STATES.CLOSE })]);
  const cut = (port: number): EndedOutbound => ({
    protocol: 'TCP',
    local: { address: POD, port },
    remote: PEER,
    backend: PEER,
    tag: undefined,
    bytesSent: 0,
    bytesReceived: 0,
    verdict: { verdict: 'deny', direction: 'egress', reason: 'no-table' },
    end: 'policy-changed',
  });
  expect([1, 3].map((port) => ends.claim(cut(port)))).toEqual([true, true]);
  expect(ends.claim(cut(1))).toBe(false);
  ends.release(cut(3)); // it went on, until the gate reset it
  await ends.close();
  expect(ports()).toEqual([2, 3]);
  expect(seen.reported.map(({ end }) => end)).toEqual(['closed', 'reset']);
});

test('a connection that the gate reset, because the table denies it, is reported as cut', async () => {
  const other = { address: '10.1.0.1', port: 80 };
  const { ends, seen } = follow(
    [ended(1, { answering: other, tcpState: TCP_STATES.CLOSE }), ended(2, { answering: other })],
    isolated('10.0.0.0/24'),
  );
  await ends.close();
  expect(seen.reported).toMatchObject([
    { local: { port: 1 }, end: 'policy-changed', verdict: { reason: 'no-rule' } },
  ]);
});

test('lost events are counted, and those that follow are reported', async () => {
  const { ends, seen, ports } = follow([ended(1), new SluiceError('NETLINK_OVERRUN', ''), ended(2)]);
  await ends.close();
  expect(ports()).toEqual([1, 2]);
  expect(seen).toMatchObject({ overruns: 1, failures: 0 });
});

test('a failure is said once, and the next isolation begins from the start', async () => {
  const news = [new SluiceError('NETLINK_FAILED', '')];
  const { ends, seen, change } = follow(news);
  await ends.close();
  expect(seen).toMatchObject({ failures: 1, opened: 1, closed: 1 });
  change(free);
  change(open);
  expect(seen).toMatchObject({ failures: 1, opened: 2 });
});

test('nothing is subscribed to while the pod is not isolated', async () => {
  const { seen, change } = follow([], free);
  expect(seen).toMatchObject({ opened: 0 });
  change(open);
  change(open);
  expect(seen).toMatchObject({ opened: 1, closed: 0 });
  change(free);
  expect(seen).toMatchObject({ opened: 1, closed: 1 });
});
