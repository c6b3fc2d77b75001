/** Ending outbound flows, with kernels that cannot do all; on a real one: test/netns/egress.test.ts. */
import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { createJudge, type Judge, ServiceMap, type Table } from '../../../../policy/index.ts';
import type { Side, TrackedEntry } from '../../../../sidecar/kernel/conntrack.ts';
import type { TcpSocket } from '../../../../sidecar/kernel/tcp_sockets.ts';
import { OutboundCutter, type OutboundKernel } from '../../../../sidecar/outbound/cutter.ts';
import type { EndedOutbound } from '../../../../sidecar/records/ended_outbound.ts';
import { admittingGroup, groupOf, partialGroupOf, table, withPolicies } from '../../../builders/tables.ts';

const { EOPNOTSUPP, ENOENT } = constants.errno;
const POD = '10.0.0.100';
const none = { namespace: 'shop', name: 'none' };
const isolated = withPolicies(table({ revision: 1 }), { policy: none, egress: [] });

const sides = (port: number) => ({
  local: { address: POD, port },
  remote: { address: '10.0.0.9', port: 80 },
});
const socket = (port: number): TcpSocket => ({
  ...sides(port),
  isArriving: false,
  bytesSent: 1,
  bytesReceived: 2,
  handle: { family: 2, id: new Uint8Array(48) },
});
const flow = (source: Side, destination: Side): TrackedEntry => ({
  protocol: 'TCP',
  source,
  destination,
  answering: destination,
  answered: source,
  isAssured: true,
  tcpState: 3,
  bytesSent: 0,
  bytesReceived: 0,
  entry: { family: 2, tuple: new Uint8Array(), id: new Uint8Array(4) },
});

/** Lists those of these sockets that are wanted. */
const listed = (...sockets: readonly TcpSocket[]): OutboundKernel['sockets'] =>
  async function* (wanted) {
    yield sockets.filter(({ local, remote }) => wanted(local, remote));
  };

/** A kernel with two connections of the pod's own, which does to sockets what `destroy` says. */
function kernel(destroy: OutboundKernel['destroy']): OutboundKernel {
  return {
    sockets: listed(socket(1001), socket(1002)),
    flowsOf: async (sockets) => sockets.map(({ local, remote }) => flow(local, remote)),
    async *flows() {},
    destroy,
    forget: async (flows) => flows.map(() => 0),
  };
}

test('a kernel that cannot destroy sockets is reported, until it can; nothing is recorded that did not end', async () => {
  const ended: EndedOutbound[] = [];
  let result = -EOPNOTSUPP;
  const cutter = new OutboundCutter((one) => ended.push(one), {
    kernel: kernel(async (sockets) => sockets.map(() => result)),
  });
  await expect(cutter.cut(createJudge(isolated))).rejects.toMatchObject({ code: 'OUTBOUND_UNSUPPORTED' });
  expect(cutter.problem).toContain('CONFIG_INET_DIAG_DESTROY');
  expect(ended).toEqual([]);
  result = 0;
  await cutter.cut(createJudge(isolated));
  expect(cutter.problem).toBeUndefined();
  expect(ended.map(({ local }) => local.port)).toEqual([1001, 1002]);
});

test('a connection that is ended is reported with what the table before had allowed it by', async () => {
  const ended: EndedOutbound[] = [];
  const open = createJudge(table({ revision: 7 }));
  for (const before of [() => open, () => createJudge(isolated), undefined]) {
    const options = { kernel: kernel(async () => [0, 0]), ...(before && { before }) };
    await new OutboundCutter((one) => ended.push(one), options).cut(createJudge(isolated));
  }
  const was = { revision: 7, verdict: { verdict: 'allow', direction: 'egress', reason: 'not-isolated' } };
  expect(ended.map((one) => one.was)).toEqual([was, was, undefined, undefined, undefined, undefined]);
});

test('a connection that the gate has reset meanwhile is no failure, and has its record', async () => {
  const ended: EndedOutbound[] = [];
  const cutter = new OutboundCutter((one) => ended.push(one), { kernel: kernel(async () => [-ENOENT, 0]) });
  await cutter.cut(createJudge(isolated));
  expect(ended.map(({ local }) => local.port)).toEqual([1001, 1002]);
});

test('what others have recorded is not recorded again; what goes on after all is theirs', async () => {
  const ended: EndedOutbound[] = [];
  const released: number[] = [];
  let results = [0, 0];
  const cutter = new OutboundCutter((one) => ended.push(one), {
    kernel: kernel(async () => results),
    claims: {
      claim: ({ local }) => local.port === 1001,
      release: ({ local }) => released.push(local.port),
    },
  });
  await cutter.cut(createJudge(isolated));
  expect(ended.map(({ local }) => local.port)).toEqual([1001]);
  results = [-EOPNOTSUPP, -EOPNOTSUPP];
  await expect(cutter.cut(createJudge(isolated))).rejects.toMatchObject({ code: 'OUTBOUND_UNSUPPORTED' });
  expect(ended.length).toBe(1);
  expect(released).toEqual([1001]);
});

test('only what the pod itself opened, to others, is destroyed', async () => {
  const destroyed: number[] = [];
  const odd: OutboundKernel = {
    ...kernel(async (sockets) => sockets.map(({ local }) => destroyed.push(local.port) && 0)),
    // The first was accepted; connection tracking does not know the second.
    sockets: listed(
      socket(1001),
      socket(1002),
      { ...socket(1003), remote: { address: POD, port: 80 } },
      socket(1004),
    ),
    flowsOf: async (sockets) =>
      sockets.map(({ local, remote }) => {
        if (local.port === 1002) return undefined;
        return local.port === 1001 ? flow(remote, local) : flow(local, remote);
      }),
  };
  await new OutboundCutter(() => {}, { kernel: odd }).cut(createJudge(isolated));
  expect(destroyed).toEqual([1004]);
});

test('connection tracking is asked only about what may have to end', async () => {
  const asked: number[] = [];
  const allowing = admittingGroup(isolated, ['egress'], groupOf({ '10.0.0.9': 'uid-db' }));
  const elsewhere = { ...socket(1003), remote: { address: '10.0.0.8', port: 80 } };
  const busy: OutboundKernel = {
    ...kernel(async (sockets) => sockets.map(() => 0)),
    sockets: listed(socket(1001), socket(1002), elsewhere),
    flowsOf: async (sockets) =>
      sockets.map(({ local, remote }) => {
        asked.push(local.port);
        return flow(local, remote);
      }),
  };
  const ended: EndedOutbound[] = [];
  await new OutboundCutter((one) => ended.push(one), { kernel: busy }).cut(createJudge(allowing));
  expect(asked).toEqual([1003]);
  expect(ended.map(({ local }) => local.port)).toEqual([1003]);
});

test('before the table has an address of the pod, those of its interfaces count', async () => {
  const early = { ...isolated, subject: { ...isolated.subject, ips: [] } };
  const ended: EndedOutbound[] = [];
  const cutter = new OutboundCutter((one) => ended.push(one), {
    kernel: kernel(async (sockets) => sockets.map(() => 0)),
    interfaces: () => [POD],
  });
  await cutter.cut(createJudge(early));
  expect(ended.map(({ local }) => local.port)).toEqual([1001, 1002]);
});

test('once the table has addresses of the pod, no others count', async () => {
  const ended: EndedOutbound[] = [];
  const cutter = new OutboundCutter((one) => ended.push(one), {
    kernel: {
      ...kernel(async (sockets) => sockets.map(() => 0)),
      sockets: listed({ ...socket(1001), local: { address: '10.0.0.7', port: 1001 } }, socket(1002)),
    },
    interfaces: () => ['10.0.0.7'],
  });
  await cutter.cut(createJudge(isolated));
  expect(ended.map(({ local }) => local.port)).toEqual([1002]);
});

test("the sidecar's own connection to the injector stays, whatever policy says", async () => {
  const destroyed: number[] = [];
  const cutter = new OutboundCutter(() => {}, {
    injector: { address: '10.96.0.20', port: 15010 },
    kernel: {
      ...kernel(async (sockets) => sockets.map(({ local }) => destroyed.push(local.port) && 0)),
      sockets: listed(
        { ...socket(1001), remote: { address: '10.96.0.20', port: 15010 } },
        { ...socket(1002), remote: { address: '10.96.0.20', port: 443 } },
      ),
    },
  });
  await cutter.cut(createJudge(isolated));
  expect(destroyed).toEqual([1002]);
});

test('flows to Services are looked through once for a table, and again when what decides on them changes', async () => {
  let looks = 0;
  const watched: OutboundKernel = {
    ...kernel(async (sockets) => sockets.map(() => 0)),
    async *flows() {
      looks += 1;
      yield [];
    },
  };
  const cutter = new OutboundCutter(() => {}, { kernel: watched });
  const dns = { namespace: 'kube-system', name: 'kube-dns', backends: [] };
  const services = ServiceMap.from([['10.96.0.10 UDP/53', dns]]);
  const group = groupOf({ '10.0.0.9': 'uid-dns' });
  const first = { ...admittingGroup(isolated, ['egress'], group), services };
  const forget = (next: Table) => cutter.forgetBackends(createJudge(next));
  await forget(first);
  // As a table of schema 1 becomes one: another object for the group, with the same members.
  await forget({ ...first, revision: 2, groups: new Map([['g', { ...group }]]) });
  expect(looks).toBe(1);
  await forget({
    ...first,
    groups: new Map([['g', { ...group, members: group.members.with([['10.0.0.8', 'x']]) }]]),
  });
  expect(looks).toBe(2);
  await forget({ ...first, services: services.with([['10.96.0.11 UDP/53', dns]]) });
  expect(looks).toBe(3);
});

describe('where a partial group may have the peer', () => {
  const partly = (members: Readonly<Record<string, string>>): Judge =>
    createJudge(admittingGroup(isolated, ['egress'], partialGroupOf(members)));

  /** A cutter; `answer` is what happens when it asks. */
  function asking(answer: (inForce: (judge: Judge) => void) => void) {
    let judge = partly({});
    const [ended, asked]: [number[], string[][]] = [[], []];
    const cutter = new OutboundCutter((one) => ended.push(one.local.port), {
      kernel: kernel(async (sockets) => sockets.map(() => 0)),
      questions: {
        judge: () => judge,
        async ask(addresses, answered) {
          asked.push([...addresses]);
          expect(ended).toEqual([]);
          answer((next) => {
            judge = next;
          });
          for (const address of addresses) answered(address);
        },
      },
    });
    return { cutter, ended, asked, cut: () => cutter.cut(judge) };
  }

  test('connections go on when it proves to be a member', async () => {
    const { ended, asked, cut } = asking((inForce) => inForce(partly({ '10.0.0.9': 'nine' })));
    await cut();
    expect([asked, ended]).toEqual([[['10.0.0.9']], []]);
  });

  test('they end when it does not', async () => {
    const { ended, asked, cut } = asking(() => undefined);
    await cut();
    expect([asked.length, ended]).toEqual([1, [1001, 1002]]);
  });

  test('a table that comes later than the answer is asked about again, but not without end', async () => {
    let tables = 0;
    const { ended, asked, cut } = asking((inForce) => {
      tables += 1;
      void Promise.resolve().then(() => inForce(partly({})));
    });
    await cut();
    expect(tables).toBe(asked.length);
    expect([asked.length, ended]).toEqual([4, [1001, 1002]]);
  });

  test('each of those who wait for one run waits until its flows were asked about and have ended', async () => {
    const judge = partly({});
    const [ended, seen]: [number[], number[]] = [[], []];
    const looks: PromiseWithResolvers<void>[] = [];
    const cutter = new OutboundCutter((one) => ended.push(one.local.port), {
      kernel: {
        ...kernel(async (sockets) => sockets.map(() => 0)),
        // The first run goes on until the others have come.
        async *sockets() {
          const look = Promise.withResolvers<void>();
          looks.push(look);
          if (looks.length === 1) await look.promise;
          yield [socket(1001), socket(1002)].filter(({ local }) => !ended.includes(local.port));
        },
      },
      questions: {
        judge: () => judge,
        async ask(addresses, answered) {
          await new Promise((resolve) => setImmediate(resolve));
          for (const address of addresses) answered(address);
        },
      },
    });
    const cut = () => cutter.cut(judge).then(() => seen.push(ended.length));
    const all = [cut(), cut(), cut()];
    looks[0]?.resolve();
    await Promise.all(all);
    expect(seen).toEqual([2, 2, 2]);
    expect(ended).toEqual([1001, 1002]);
  });

  test.each([
    [{ '10.0.0.9': 'nine' }, 0],
    [{}, 1],
  ])(
    'a datagram flow to a Service leaves its backend only when that is no member: %o',
    async (members, forgotten) => {
      const service = { namespace: 'shop', name: 'dns', backends: [{ address: '10.0.0.9', port: 53 }] };
      const services = ServiceMap.from([['10.96.0.10 UDP/53', service]]);
      const judgeWith = (some: Readonly<Record<string, string>>): Judge =>
        createJudge({ ...partly(some).table, services });
      const destination = { address: '10.96.0.10', port: 53 };
      const tracked: TrackedEntry = {
        ...flow({ address: POD, port: 1001 }, destination),
        protocol: 'UDP',
        answering: { address: '10.0.0.9', port: 53 },
      };
      const gone: TrackedEntry[] = [];
      let judge = judgeWith({});
      const cutter = new OutboundCutter(() => undefined, {
        kernel: {
          ...kernel(async () => []),
          async *flows() {
            yield [tracked];
          },
          forget: async (flows) => flows.map((one) => gone.push(one) && 0),
        },
        questions: {
          judge: () => judge,
          async ask() {
            judge = judgeWith(members);
          },
        },
      });
      await cutter.forgetBackends(judge);
      expect(gone.length).toBe(forgotten);
    },
  );
});
