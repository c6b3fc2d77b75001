/** A policy beyond a bound isolates what it selects, admits nothing, and harms no other. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostilePolicy } from '../../../../bench/control_plane/hostile_policies.ts';
import { PolicyBounds } from '../../../../policy/compile/policy_bounds.ts';
import {
  type Compiler,
  createCompiler,
  createJudge,
  DEFAULT_POLICY_LIMITS,
  type NetworkPolicy,
  objectKey,
  type Pod,
  type PolicyLimits,
  parseNetworkPolicy,
  parsePod,
  policyExcess,
} from '../../../../policy/index.ts';
import { policyEntries, writtenEntries } from '../../../../policy/objects/policy_entries.ts';
import { accepted, apiPod, apiPolicy, apiService, readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';
import { expectSameTable } from '../table_updates.ts';

const TINY: PolicyLimits = {
  maxPolicyEntries: 10,
  maxNamespaceEntries: 15,
  maxPolicyReach: 300,
  maxNamespaceReach: 500,
};

const address = (index: number) => `10.1.${index >> 8}.${index & 255}`;

function podAt(index: number, labels: Readonly<Record<string, string>> = {}): Pod {
  return accepted(parsePod(apiPod(`shop/p${index}`, { labels, ips: [address(index)] })));
}

function policyOf(name: string, spec: Parameters<typeof apiPolicy>[1]): NetworkPolicy {
  return accepted(parseNetworkPolicy(apiPolicy(`shop/${name}`, spec)));
}

const blocks = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ ipBlock: { cidr: `192.0.2.${i}/32` } }));

/** As many distinct selectors, none of which demands a label. */
const selectors = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    podSelector: { matchExpressions: [{ key: 'x', operator: 'NotIn', values: [`${i}`] }] },
  }));

function compilerOf(pods: number, policies: readonly NetworkPolicy[], limits = TINY) {
  const compiler = createCompiler(readCluster({}), { policyLimits: limits });
  for (let i = 0; i < pods; i += 1) compiler.apply({ kind: 'Pod', key: `shop/p${i}`, object: podAt(i) });
  for (const object of policies)
    compiler.apply({ kind: 'NetworkPolicy', key: `shop/${object.name}`, object });
  compiler.commit();
  return compiler;
}

describe('entries of a policy', () => {
  it('are the same in what was written and in what was read of it', () => {
    fc.assert(
      fc.property(apiCluster, ({ policies = [] }) => {
        for (const object of policies)
          expect(writtenEntries(object.spec)).toBe(policyEntries(accepted(parseNetworkPolicy(object))));
      }),
    );
  });

  it('up to the bound are read, and one more is not', () => {
    const written = apiPolicy('shop/a', {
      podSelector: { matchLabels: { app: 'api' } },
      egress: [{ to: blocks(8) }],
    });
    expect(parseNetworkPolicy(written, 10)).toMatchObject({ ok: true });
    const refused = parseNetworkPolicy(written, 9);
    expect(refused).toMatchObject({
      ok: false,
      errors: [
        {
          path: 'spec',
          message: expect.stringMatching(/^has 10 entries .* 9 are allowed \(SLUICE_MAX_POLICY_ENTRIES\)/),
        },
      ],
    });
    // Whom it isolates, and in which direction, is known all the same.
    const { ingress: _, egress: __, ...rest } = accepted(parseNetworkPolicy(written));
    expect(!refused.ok && refused.isolating).toEqual({ ...rest, ingress: [], egress: [] });
  });

  it('are counted before any field is looked at, whatever it is', () => {
    for (const spec of [
      { ingress: Array(20).fill(null) },
      { podSelector: Array(20).fill(1) },
      { policyTypes: 7 },
    ])
      expect(parseNetworkPolicy({ ...apiPolicy('shop/a', {}), spec }, 10)).toMatchObject({ ok: false });
  });

  it('of a podSelector that is too large itself: every pod is isolated', () => {
    const matchLabels = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`k${i}`, 'v']));
    const refused = parseNetworkPolicy(apiPolicy('shop/a', { podSelector: { matchLabels } }), 10);
    expect(refused).toMatchObject({ ok: false, isolating: { podSelector: { matchLabels: {} } } });
  });
});

describe('a policy beyond a bound', () => {
  it('isolates, admits nothing and is named with the bound; the others of its namespace hold', () => {
    const compiler = compilerOf(2, [
      policyOf('large', { podSelector: {}, ingress: [{ from: blocks(11) }] }),
      policyOf('small', { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '198.51.100.1/32' } }] }] }),
    ]);
    expect([...compiler.excess]).toEqual([
      [
        'shop/large',
        expect.stringMatching(/has 12 entries .* 10 are allowed \(SLUICE_MAX_POLICY_ENTRIES\): it isolates/),
      ],
    ]);
    const table = compiler.compile('shop/p0', 1);
    expect(table.ingress.isolating.map(({ name }) => name)).toEqual(['large', 'small']);
    const judge = createJudge(table);
    expect(judge.judge('ingress', '192.0.2.1', 'TCP', 80)).toMatchObject({ verdict: 'deny' });
    expect(judge.judge('ingress', '198.51.100.1', 'TCP', 80)).toMatchObject({ verdict: 'allow' });
  });

  it('leaves its pods the addresses of the injector, and is named where its rules let them ask for names', () => {
    const cluster = readCluster({
      pods: [apiPod('shop/p0', { ips: [address(0)] })],
      services: [apiService('sluice-system/sluice-injector', ['10.96.0.9'], [{ port: 15_010 }])],
      policies: [
        apiPolicy('shop/large', {
          podSelector: {},
          policyTypes: ['Egress'],
          egress: [{}, { to: blocks(11) }],
        }),
      ],
    });
    const injectorService = 'sluice-system/sluice-injector';
    const compiler = createCompiler(cluster, { injectorService, policyLimits: TINY });
    expect([...compiler.excess.keys()]).toEqual(['shop/large']);
    expect(compiler.compile('shop/p0', 1).subject.injectors).toEqual([
      { address: '10.96.0.9', port: 15_010 },
    ]);
    expect(compiler.forgottenDns('shop/p0')).toMatch(
      /^egress is isolated by shop\/large, and no rule admits DNS/,
    );
  });

  it('is in force again once it is small enough', () => {
    const compiler = compilerOf(1, [policyOf('a', { podSelector: {}, ingress: [{ from: blocks(11) }] })]);
    const object = policyOf('a', { podSelector: {}, ingress: [{ from: blocks(9) }] });
    compiler.apply({ kind: 'NetworkPolicy', key: 'shop/a', object });
    compiler.commit();
    expect(compiler.excess.size).toBe(0);
    expect(compiler.compile('shop/p0', 1).ingress.rules).toHaveLength(1);
  });

  it('takes no room: what comes first by name and fits has it', () => {
    const spec = { podSelector: {}, ingress: [{ from: blocks(6) }] }; // 7 entries each
    const compiler = compilerOf(
      1,
      ['c', 'b', 'a', 'd'].map((name) => policyOf(name, spec)),
    );
    expect([...compiler.excess.keys()].sort()).toEqual(['shop/c', 'shop/d']);
    expect(compiler.excess.get('shop/c')).toContain('SLUICE_MAX_NAMESPACE_ENTRIES');
  });

  it('by selectors: each counts the pods that it has to be tried on, and 100 at least', () => {
    const two = policyOf('two', { podSelector: {}, ingress: [{ from: selectors(2) }] });
    const named = policyOf('named', {
      podSelector: {},
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'few' } } }] }],
    });
    const limits = { ...TINY, maxPolicyEntries: 1_000, maxNamespaceEntries: 1_000 };
    const compiler = compilerOf(150, [two, named], limits);
    expect(compiler.excess.size).toBe(0);
    // 151 pods for each of two selectors.
    compiler.apply({ kind: 'Pod', key: 'shop/p150', object: podAt(150) });
    compiler.commit();
    expect(compiler.excess.get('shop/two')).toMatch(
      /has 302 pods .* 300 are allowed \(SLUICE_MAX_POLICY_REACH\)/,
    );
    expect(compiler.compile('shop/p0', 1).groups.has('pods(x notin (0)) in namespace shop')).toBe(false);
    expect(compiler.compile('shop/p0', 1).ingress.rules.map(({ policy }) => policy.name)).toEqual(['named']);
    compiler.apply({ kind: 'Pod', key: 'shop/p3', object: undefined });
    compiler.commit();
    expect(compiler.excess.size).toBe(0);
    expect(compiler.compile('shop/p0', 1).groups.size).toBe(3);
  });

  it('by the number of its selectors: no pod is needed to know it', () => {
    const limits = { ...TINY, maxPolicyEntries: 1_000, maxNamespaceEntries: 1_000 };
    const many = policyOf('many', { podSelector: {}, ingress: [{ from: selectors(4) }] });
    expect(compilerOf(1, [many], limits).excess.get('shop/many')).toMatch(
      /has 400 pods .* 300 are allowed \(SLUICE_MAX_POLICY_REACH\)/,
    );
  });

  it('costs its namespace nothing from then on, however many there are', () => {
    const many = policyOf('many', { podSelector: {}, ingress: [{ from: selectors(3_000) }] });
    const compiler = compilerOf(
      1,
      Array.from({ length: 40 }, (_, i) => ({ ...many, name: `p${i}` })),
      DEFAULT_POLICY_LIMITS,
    );
    expect(compiler.excess.size).toBe(40);
    const beganMs = performance.now();
    for (let pod = 1; pod <= 200; pod += 1) {
      compiler.apply({ kind: 'Pod', key: `shop/p${pod}`, object: podAt(pod) });
      compiler.apply({
        kind: 'NetworkPolicy',
        key: 'shop/small',
        object: policyOf('small', { ingress: [{ ports: [{ port: pod }] }] }),
      });
      compiler.commit();
    }
    // Some ms; to look at all 120,000 selectors each time takes many seconds.
    expect(performance.now() - beganMs).toBeLessThan(1_000);
  });

  it('by its selectors has room for its entries all the same: no more selectors are looked up than there may be entries', () => {
    const limits = { ...TINY, maxPolicyEntries: 1_000, maxNamespaceEntries: 100 };
    const wide = (name: string, from: number) =>
      policyOf(name, { podSelector: {}, ingress: [{ from: selectors(from + 2).slice(from) }] });
    const policies = Array.from({ length: 200 }, (_, i) => wide(`p${i}`, 2 * i));
    let lookedUp = 0;
    const reach = () => {
      lookedUp += 1;
      return 1_000;
    };
    const { excess, selectors: needed } = new PolicyBounds(limits).decide(policies, { reach });
    expect([excess.size, needed.size]).toEqual([200, 0]);
    expect(lookedUp).toBeGreaterThan(2);
    expect(lookedUp).toBeLessThanOrEqual(100);
    expect(excess.get('p0')).toContain('SLUICE_MAX_POLICY_REACH');
    expect(excess.get('p199')).toContain('SLUICE_MAX_NAMESPACE_ENTRIES');
  });

  it('after any changes, in any steps, it is the same as in a cluster found so', () => {
    const limits = {
      maxPolicyEntries: 8,
      maxNamespaceEntries: 12,
      maxPolicyReach: 340,
      maxNamespaceReach: 560,
    };
    const sizes = fc.record({ a: fc.nat(4), b: fc.nat(4), c: fc.nat(4) });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 60, max: 180 }), sizes), { minLength: 2, maxLength: 5 }),
        (steps) => {
          const compiler = createCompiler(readCluster({}), { policyLimits: limits });
          let pods = 0;
          for (const [count, policies] of steps) {
            for (; pods < count; pods += 1)
              compiler.apply({ kind: 'Pod', key: `shop/p${pods}`, object: podAt(pods) });
            for (; pods > count; pods -= 1)
              compiler.apply({ kind: 'Pod', key: `shop/p${pods - 1}`, object: undefined });
            for (const [name, size] of Object.entries(policies)) {
              const object =
                size === 0
                  ? undefined
                  : policyOf(name, { podSelector: {}, ingress: [{ from: selectors(size) }] });
              compiler.apply({ kind: 'NetworkPolicy', key: `shop/${name}`, object });
            }
            compiler.commit();
            const found = createCompiler(compiler.cluster, { policyLimits: limits });
            expect(new Map([...compiler.excess].sort())).toEqual(new Map([...found.excess].sort()));
            expectSameTable(compiler.compile('shop/p0', 1), found.compile('shop/p0', 1));
          }
        },
      ),
      { numRuns: 30 },
    );
  }, 60_000);
});

describe('reach by labels of namespaces', () => {
  const NAMESPACES = ['n0', 'n1', 'n2'];
  const byTeam = (namespace: string, team: string) =>
    accepted(
      parseNetworkPolicy(
        apiPolicy(`${namespace}/by-team`, {
          podSelector: {},
          ingress: [{ from: [{ namespaceSelector: { matchLabels: { team } } }] }],
        }),
      ),
    );
  const put = (compiler: Compiler, name: string, labels: Readonly<Record<string, string>>) =>
    compiler.apply({
      kind: 'Namespace',
      key: name,
      object: { name, labels: { ...labels, 'kubernetes.io/metadata.name': name } },
    });

  /** 80 pods in each namespace: two of a team are within the bound, three are not. */
  function teams(): { compiler: Compiler; limits: PolicyLimits } {
    const limits = { ...TINY, maxPolicyReach: 170 };
    const compiler = createCompiler(readCluster({}), { policyLimits: limits });
    for (const [place, name] of NAMESPACES.entries())
      for (let i = 0; i < 80; i += 1) {
        const object = accepted(parsePod(apiPod(`${name}/p${i}`, { ips: [`10.2.${place}.${i}`] })));
        compiler.apply({ kind: 'Pod', key: `${name}/p${i}`, object });
      }
    for (const [place, team] of ['x', 'y', 'x'].entries()) {
      const object = byTeam(`n${place}`, team);
      compiler.apply({ kind: 'NetworkPolicy', key: `n${place}/by-team`, object });
    }
    compiler.commit();
    return { compiler, limits };
  }

  it('is the same as in a cluster found so, whatever labels come and go', () => {
    const labels = fc.record(
      { team: fc.constantFrom('x', 'y'), tier: fc.constantFrom('x') },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...NAMESPACES), labels), { maxLength: 12 }), (steps) => {
        const { compiler, limits } = teams();
        for (const [name, own] of steps) {
          put(compiler, name, own);
          compiler.commit();
          const found = createCompiler(compiler.cluster, { policyLimits: limits });
          expect(new Map(compiler.excess)).toEqual(new Map(found.excess));
        }
      }),
      { numRuns: 30 },
    );
  }, 60_000);

  it('is measured where a label that came or went is asked for, and nowhere else', () => {
    const { compiler } = teams();
    put(compiler, 'n0', { team: 'y' });
    expect([...compiler.waiting]).toEqual(['n1']);
    compiler.commit();
    put(compiler, 'n0', { team: 'y', tier: 'x' });
    expect([...compiler.waiting]).toEqual([]);
    put(compiler, 'n0', { team: 'x', tier: 'x' });
    expect([...compiler.waiting].sort()).toEqual(['n0', 'n1', 'n2']);
  });
});

describe('policies beyond a bound', () => {
  it('are those that a compiler refuses, also where the cluster is far from most bounds', () => {
    const few = (most: number) => fc.integer({ min: 1, max: most });
    const limits = fc.record({
      maxPolicyEntries: few(20),
      maxNamespaceEntries: few(40),
      maxPolicyReach: few(500),
      maxNamespaceReach: few(1_000),
    });
    // Small numbers count as a hundred: with some pods more than that, the reach of a selector matters.
    const crowd = fc.record({ namespace: fc.constantFrom('a', 'b'), size: fc.integer({ min: 0, max: 130 }) });
    fc.assert(
      fc.property(apiCluster, limits, crowd, (written, policyLimits, { namespace, size }) => {
        const more = Array.from({ length: size }, (_, index) =>
          apiPod(`${namespace}/crowd-${index}`, { labels: { app: 'web' }, ips: [address(index)] }),
        );
        const cluster = readCluster({ ...written, pods: [...(written.pods ?? []), ...more] });
        expect(policyExcess(cluster, policyLimits)).toEqual(createCompiler(cluster, { policyLimits }).excess);
      }),
    );
  });
});

describe('default bounds', () => {
  it('refuse each costly shape, and let pass what is a fiftieth of it', () => {
    const pods = new Map(Array.from({ length: 3_000 }, (_, i): [string, Pod] => [`shop/p${i}`, podAt(i)]));
    const large = {
      selectors: 100,
      rules: 15_000,
      ports: 4_000,
      exceptions: 60_000,
      overlap: 10_000,
    } as const;
    for (const [shape, size] of Object.entries(large))
      for (const [share, refused] of [
        [1, 1],
        [50, 0],
      ] as const) {
        const written = hostilePolicy(
          'shop',
          shape,
          shape as keyof typeof large,
          Math.floor(size / share),
          0,
        );
        const object = accepted(parseNetworkPolicy(written));
        const cluster = { ...readCluster({}), pods, policies: new Map([[objectKey('shop', shape), object]]) };
        expect([shape, policyExcess(cluster).size]).toEqual([shape, refused]);
      }
    expect(DEFAULT_POLICY_LIMITS.maxNamespaceEntries).toBeGreaterThan(DEFAULT_POLICY_LIMITS.maxPolicyEntries);
  });
});
