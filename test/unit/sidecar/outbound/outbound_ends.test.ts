/** Which ends are reported, and which are added up; on a real kernel: test/netns/egress.test.ts and counted_flows.test.ts. */
import { expect, onTestFinished, test } from 'vitest';
import { SluiceError } from '../../../../common/errors.ts';
import { createJudge, type Table } from '../../../../policy/index.ts';
import { TCP_STATES, type TrackedFlow } from '../../../../sidecar/kernel/conntrack.ts';
import type { FlowEvent } from '../../../../sidecar/kernel/conntrack_events.ts';
import { type FlowEvents, OutboundEnds } from '../../../../sidecar/outbound/ends.ts';
import type { EndedOutbound } from '../../../../sidecar/records/ended_outbound.ts';
import type { TrackedSums } from '../../../../sidecar/records/recorder.ts';
import { eventRows, type RowEvent } from '../../../builders/event_rows.ts';
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
function follow(news: (RowEvent | Error | 'overrun')[], judged: Table = open) {
  let current = judged;
  const reported: EndedOutbound[] = [];
  const counted: TrackedSums[] = [];
  const seen = { reported, counted, overruns: 0, failures: 0, opened: 0, closed: 0 };
  const events: FlowEvents = {
    take() {
      const [error] = news.filter((one) => one instanceof Error);
      if (error !== undefined) throw error;
      const taken = news.splice(0);
      const rows = eventRows(
        taken.filter((one): one is RowEvent => typeof one === 'object' && !(one instanceof Error)),
      );
      return { rows, lost: taken.filter((one) => one === 'overrun').length };
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
      counted: (one) => counted.push({ ...one }),
      overrun(events) {
        seen.overruns += events;
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
  /** Lets the kernel report these, and waits until they are read. */
  const report = async (...more: readonly RowEvent[]): Promise<void> => {
    news.push(...more);
    await expect.poll(() => news.length, { interval: 20 }).toBe(0);
    await new Promise(setImmediate);
  };
  return { ends, seen, change, report, ports: () => reported.map(({ local }) => local.port) };
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
  const { ends, seen, ports } = follow(
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
  expect(seen.counted).toEqual([sum('egress', 1, 9, 7, other)]); // it passed under an earlier table
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
  const { ends, seen, ports } = follow([ended(1), 'overrun', ended(2)]);
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

test('from the first table on the kernel is followed, isolated or not, until the end', async () => {
  const { ends, seen, change } = follow([], free);
  expect(seen).toMatchObject({ opened: 1, closed: 0 });
  change(open);
  change(free);
  expect(seen).toMatchObject({ opened: 1, closed: 0 });
  await ends.close();
  expect(seen).toMatchObject({ closed: 1 });
});

/** The sums of a direction to or from `PEER`. */
const sum = (direction: 'ingress' | 'egress', flows: number, sent: number, received: number, more = {}) => ({
  direction,
  protocol: 'TCP',
  ...PEER,
  flows,
  sent,
  received,
  ...more,
});
const UDP = { protocol: 'UDP', isAssured: false, tcpState: undefined } as const;
const SCTP = { protocol: 'SCTP', tcpState: undefined } as const;

test('connections of a pod that is not isolated count when they end, and their bytes when their entries go', async () => {
  const reset = { tcpState: TCP_STATES.CLOSE };
  const { ends, seen, report } = follow([], free);
  await report(ended(1), ended(1, reset), ended(2, reset), ended(3, { isAssured: false }));
  const bytes = { bytesSent: 5, bytesReceived: 2 ** 33 };
  await report(
    gone(1, { ...reset, ...bytes }),
    gone(2, { ...reset, ...bytes }),
    gone(3, { isAssured: false }),
  );
  await ends.close();
  expect(seen.counted).toEqual([sum('egress', 2, 0, 0), sum('egress', 0, 2 ** 34, 10)]);
  expect(seen.reported).toEqual([]);
});

test('one whose other end vanished counts when its entry goes', async () => {
  const { ends, seen } = follow([gone(1, { tcpState: TCP_STATES.ESTABLISHED, bytesSent: 3 })], free);
  await ends.close();
  expect(seen.counted).toEqual([sum('egress', 1, 0, 3)]);
});

test.each(['10.0.0.9', '2001:db8::9'])(
  'UDP and SCTP count in both directions, isolated or not; TCP from %s has its record elsewhere',
  async (address) => {
    const own = address.includes(':') ? '2001:db8::100' : POD;
    const [there, here] = [
      { address, port: 80 },
      { address: own, port: 53 },
    ];
    const incoming = { source: there, destination: here, answering: here, answered: there };
    const subject = { ...free.subject, ips: [own] };
    for (const judged of [free, open]) {
      const { ends, seen } = follow(
        [
          ...[UDP, SCTP].map((protocol) =>
            gone(1, { ...protocol, ...incoming, bytesSent: 7, bytesReceived: 1 }),
          ),
          gone(2, { ...SCTP, ...incoming, isAssured: false }),
          gone(3, { ...incoming, tcpState: TCP_STATES.ESTABLISHED }),
          ended(4, incoming),
        ],
        { ...judged, subject },
      );
      await ends.close();
      const more = { address, port: 53 };
      expect(seen.counted).toEqual([
        sum('ingress', 1, 1, 7, { ...more, protocol: 'UDP' }),
        sum('ingress', 1, 1, 7, { ...more, protocol: 'SCTP' }),
      ]);
      expect(seen.reported).toEqual([]);
    }
  },
);

test('a pod that is not isolated: what it sends by UDP and SCTP counts, the way to the injector and to itself does not', async () => {
  const { ends, seen } = follow(
    [
      gone(1, { ...UDP, bytesSent: 4 }),
      gone(2, { ...UDP, bytesSent: 4 }),
      gone(3, SCTP),
      ended(4, { destination: INJECTOR, answering: INJECTOR }),
      gone(5, { ...UDP, answering: { address: POD, port: 53 } }),
    ],
    free,
  );
  await ends.close();
  expect(seen.counted).toEqual([
    sum('egress', 2, 0, 8, { protocol: 'UDP' }),
    sum('egress', 1, 0, 0, { protocol: 'SCTP' }),
  ]);
});

test('a connection that ended as isolation came or went counts once', async () => {
  const { ends, seen, change, report } = follow([], free);
  await report(ended(1));
  change(open);
  await report(ended(1, { tcpState: TCP_STATES.CLOSE }), gone(1, { bytesSent: 3 }), ended(2));
  change(free);
  await report(gone(2, { bytesSent: 3 }));
  await ends.close();
  expect(seen.counted).toEqual([sum('egress', 1, 0, 0), sum('egress', 0, 0, 3)]);
  expect(seen.reported).toMatchObject([{ local: { port: 2 }, bytesSent: 7 }]);
});

test('flows of different peers and ports are sums of their own', async () => {
  const to = (address: string, port: number) =>
    gone(1, { ...UDP, destination: { address, port }, answering: { address, port } });
  const { ends, seen } = follow(
    [to('10.0.0.9', 80), to('10.0.0.9', 81), to('10.0.0.8', 80), to('10.0.0.9', 80)],
    free,
  );
  await ends.close();
  expect(seen.counted.map(({ address, port, flows }) => [address, port, flows])).toEqual([
    ['10.0.0.9', 80, 2],
    ['10.0.0.9', 81, 1],
    ['10.0.0.8', 80, 1],
  ]);
});
