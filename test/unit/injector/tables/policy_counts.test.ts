/** How many pods enforce each policy: kept current, and always what looking at everything would give. */
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { MemorySource } from '../../../../bench/control_plane/memory_source.ts';
import { createInjectorMetrics } from '../../../../injector/metrics.ts';
import { PolicyCounts, type SidecarState } from '../../../../injector/tables/policy_counts.ts';
import type { SessionLink } from '../../../../injector/tables/session/session_link.ts';
import type { TableSession } from '../../../../injector/tables/session/table_session.ts';
import { whyNoSubject } from '../../../../injector/tables/subject.ts';
import { setTableGauges } from '../../../../injector/tables/table_gauges.ts';
import { TableServer } from '../../../../injector/tables/table_server.ts';
import {
  type Cluster,
  isolatingPolicies,
  LiveCluster,
  type NetworkPolicy,
  type Pod,
  readInjectorFrame,
  TABLE_SCHEMA,
} from '../../../../policy/index.ts';
import { captureLog } from '../captured_log.ts';
import { waitFor } from '../wait_for.ts';

/** The pods that a policy selects, found by looking at each. */
function selectedBy(policy: NetworkPolicy, cluster: Cluster): string[] {
  return [...cluster.pods].flatMap(([key, pod]) => {
    const isSelected = policy.policyTypes.some(
      (direction) => isolatingPolicies([policy], pod, direction).length > 0,
    );
    return whyNoSubject(pod) === undefined && isSelected ? [key] : [];
  });
}

/** The counts of all policies, found by looking at everything. */
function obviousCounts(cluster: Cluster, isEnforcing: (podKey: string) => boolean) {
  return Object.fromEntries(
    [...cluster.policies].map(([key, policy]) => {
      const selected = selectedBy(policy, cluster);
      return [key, { selected: selected.length, enforcing: selected.filter(isEnforcing).length }];
    }),
  );
}

function countsOf(counts: PolicyCounts, cluster: Cluster) {
  return Object.fromEntries([...cluster.policies.keys()].map((key) => [key, counts.of(key)]));
}

const labels = fc.dictionary(fc.constantFrom('app', 'tier'), fc.constantFrom('a', 'b'), {
  noNullPrototype: true,
});
const namespace = fc.constantFrom('n0', 'n1');

const podChange = fc
  .record({
    namespace,
    place: fc.nat(3),
    labels: fc.option(labels, { nil: undefined }),
    phase: fc.constantFrom('Running', 'Running', 'Succeeded'),
    hostNetwork: fc.nat(5).map((n) => n === 0),
    hasAddress: fc.nat(5).map((n) => n > 0),
  })
  .map(({ labels: own, place, hasAddress, ...rest }) => {
    const name = `p${place}`;
    const ips = hasAddress ? [`10.0.${rest.namespace === 'n0' ? 0 : 1}.${place}`] : [];
    const others = { hostIPs: [], ports: [], workload: 'w', uid: `u${place}` };
    const object: Pod | undefined = own && { name, labels: own, ips, ...rest, ...others };
    return { kind: 'Pod' as const, key: `${rest.namespace}/${name}`, object };
  });

const policyChange = fc
  .record({
    namespace,
    name: fc.constantFrom('x', 'y'),
    matchLabels: fc.option(labels, { nil: undefined }),
    policyTypes: fc.subarray(['ingress' as const, 'egress' as const]),
    peers: fc.boolean(),
  })
  .map(({ matchLabels, peers, ...rest }) => {
    const object: NetworkPolicy | undefined = matchLabels && {
      ...rest,
      podSelector: { matchLabels, matchExpressions: [] },
      ingress: peers ? [{ peers: [{ kind: 'pods' as const }], ports: [] }] : [],
      egress: [],
    };
    return { kind: 'NetworkPolicy' as const, key: `${rest.namespace}/${rest.name}`, object };
  });

const sidecar = fc.record({
  kind: fc.constant('sidecar' as const),
  key: fc.tuple(namespace, fc.nat(3)).map(([name, place]) => `${name}/p${place}`),
  state: fc.constantFrom<SidecarState>('absent', 'behind', 'enforcing'),
});
const hold = fc.record({ kind: fc.constant('hold' as const), held: fc.subarray(['n0', 'n1']) });

test('counts are those of looking at every pod, and each policy whose counts have changed is named', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(podChange, podChange, policyChange, sidecar, sidecar, hold), { maxLength: 40 }),
      fc.integer({ min: 1, max: 5 }),
      (steps, every) => {
        const cluster = new LiveCluster();
        const counts = new PolicyCounts(cluster);
        const states = new Map<string, SidecarState>();
        let held: readonly string[] = [];
        let before: ReturnType<typeof obviousCounts> = {};
        for (const [place, step] of steps.entries()) {
          if (step.kind === 'hold') {
            held = step.held;
            counts.hold(new Set(held));
          } else if (step.kind === 'sidecar') {
            counts.setSidecar(step.key, step.state);
            const pod = cluster.pods.get(step.key);
            if (pod !== undefined && whyNoSubject(pod) === undefined) states.set(step.key, step.state);
          } else {
            cluster.apply(step);
            counts.apply(step);
            const pod = cluster.pods.get(step.key);
            if (step.kind === 'Pod' && (pod === undefined || whyNoSubject(pod) !== undefined))
              states.delete(step.key);
          }
          const isEnforcing = (key: string) =>
            states.get(key) === 'enforcing' && !held.some((name) => key.startsWith(`${name}/`));
          const expected = obviousCounts(cluster, isEnforcing);
          expect(countsOf(counts, cluster)).toEqual(expected);
          const subjects = [...cluster.pods].filter(([, pod]) => whyNoSubject(pod) === undefined);
          const enforcing = subjects.filter(([key]) => isEnforcing(key)).length;
          const absent = subjects.filter(([key]) => (states.get(key) ?? 'absent') === 'absent').length;
          expect(counts.sidecars).toEqual({
            absent,
            enforcing,
            behind: subjects.length - absent - enforcing,
          });
          if (place % every !== 0) continue;
          const taken = counts.take();
          for (const key of Object.keys(expected)) {
            const [was, is] = [before[key], expected[key]];
            if (was?.selected !== is?.selected || was?.enforcing !== is?.enforcing)
              expect(taken).toContain(key);
          }
          before = expected;
        }
        counts.take();
        expect(counts.take()).toEqual([]);
      },
    ),
  );
});

const POD: Pod = {
  namespace: 'n0',
  name: 'p0',
  uid: 'u',
  labels: { app: 'a' },
  ips: ['10.0.0.1'],
  hostIPs: [],
  hostNetwork: false,
  phase: 'Running',
  ports: [],
  workload: 'w',
};
const POLICY: NetworkPolicy = {
  namespace: 'n0',
  name: 'x',
  podSelector: { matchLabels: { app: 'a' }, matchExpressions: [] },
  policyTypes: ['ingress'],
  ingress: [],
  egress: [],
};

test('what went and came back is no change; an edit is one, with the same counts', () => {
  const counts = new PolicyCounts(new LiveCluster());
  counts.apply({ kind: 'Pod', key: 'n0/p0', object: POD });
  counts.apply({ kind: 'NetworkPolicy', key: 'n0/x', object: POLICY });
  counts.setSidecar('n0/p0', 'enforcing');
  expect(counts.take()).toEqual(['n0/x']);
  counts.setSidecar('n0/p0', 'behind');
  counts.setSidecar('n0/p0', 'enforcing');
  expect(counts.take()).toEqual([]);
  counts.apply({
    kind: 'NetworkPolicy',
    key: 'n0/x',
    object: { ...POLICY, ingress: [{ peers: [], ports: [] }] },
  });
  expect(counts.take()).toEqual(['n0/x']);
  expect(counts.of('n0/x')).toEqual({ selected: 1, enforcing: 1 });
  counts.touch('n0/x');
  expect(counts.take()).toEqual(['n0/x']);
});

let tables: TableServer | undefined;
afterEach(() => tables?.close());

/** Connects a sidecar. It says what it enforces when it is asked to. @param partial it takes partial groups */
function connect(server: TableServer, name: string, pod: string, partial = false) {
  let session: TableSession | undefined;
  let last = 0;
  const link: SessionLink = {
    queuedBytes: 0,
    send: (bytes) => {
      const frame = readInjectorFrame(JSON.parse(Buffer.concat(bytes).toString()));
      if (frame.type === 'snapshot') last = frame.table.revision;
      if (frame.type === 'change') last = frame.change.revision;
    },
    close: () => undefined,
  };
  session = server.attach(link);
  session.receive({ type: 'hello', schema: TABLE_SCHEMA, namespace: name, pod, partial });
  return {
    ack: () => session?.receive({ type: 'ack', revision: last }),
    nack: () => session?.receive({ type: 'nack', revision: last, code: 'X', message: 'no' }),
    lose: () => session?.receive({ type: 'ack', revision: 0 }),
    meet: () => session?.receive({ type: 'meet', addresses: ['10.0.0.1', '10.0.0.2'] }),
    leave: () => session?.closed(),
  };
}

const connection = fc.record({
  kind: fc.constantFrom(
    'connect' as const,
    'ack' as const,
    'ack' as const,
    'meet' as const,
    'lose' as const,
    'nack' as const,
    'leave' as const,
  ),
  namespace,
  place: fc.nat(3),
});
const pause = fc.constant({ kind: 'pause' as const });

test('the server keeps the counts that its status gives, whatever sidecars do', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(podChange, policyChange, connection, connection, pause), {
        minLength: 10,
        maxLength: 40,
      }),
      async (steps) => {
        const source = new MemorySource();
        const metrics = createInjectorMetrics();
        const options = { heartbeatMs: 600_000, largeGroup: 1 };
        const server = new TableServer(source, metrics, captureLog().log, options);
        tables = server;
        const sidecars = new Map<string, ReturnType<typeof connect>>();
        for (const [place, step] of steps.entries()) {
          if (step.kind === 'pause') await new Promise((resolve) => setImmediate(resolve));
          else if (step.kind === 'Pod' || step.kind === 'NetworkPolicy') source.change(step);
          else {
            const key = `${step.namespace}/p${step.place}`;
            if (step.kind === 'connect')
              sidecars.set(key, connect(server, step.namespace, `p${step.place}`, step.place % 2 > 0));
            else sidecars.get(key)?.[step.kind]();
          }
          // Every other time, so that more than one change comes together.
          if (place % 2 > 0) expectCounts(server, source.cluster);
        }
        expectCounts(server, source.cluster);
        setTableGauges(metrics, server);
        const { values } = await metrics.sidecars.get();
        const states = server.status().sidecars.map(({ connected, revision, enforced }) => {
          if (!connected) return 'absent';
          return revision === enforced ? 'enforcing' : 'behind';
        });
        for (const {
          value,
          labels: { state },
        } of values)
          expect(value).toBe(states.filter((one) => one === state).length);
        server.close();
      },
    ),
    { numRuns: 50 },
  );
});

/** Compares with the list that people see. */
function expectCounts(server: TableServer, cluster: Cluster): void {
  const counts = countsOf(server.counts(), cluster);
  const enforcing = new Set(
    server
      .status()
      .sidecars.filter(({ connected, revision, enforced }) => connected && revision === enforced)
      .map(({ namespace: name, pod }) => `${name}/${pod}`),
  );
  expect(counts).toEqual(obviousCounts(cluster, (key) => enforcing.has(key)));
}

test('a pod that enforces its table counts, until a change is on its way to it', async () => {
  const source = new MemorySource();
  source.change({ kind: 'Pod', key: 'n0/p0', object: POD });
  source.change({ kind: 'NetworkPolicy', key: 'n0/x', object: POLICY });
  const server = new TableServer(source, createInjectorMetrics(), captureLog().log);
  tables = server;
  const { ack } = connect(server, 'n0', 'p0');
  await waitFor(() => {
    ack();
    return server.counts().of('n0/x').enforcing === 1;
  });
  source.change({
    kind: 'NetworkPolicy',
    key: 'n0/x',
    object: { ...POLICY, ingress: [{ peers: [], ports: [] }] },
  });
  expect(server.counts().of('n0/x')).toEqual({ selected: 1, enforcing: 0 });
  await waitFor(() => {
    ack();
    return server.counts().of('n0/x').enforcing === 1;
  });
});
