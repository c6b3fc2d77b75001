/** What changes between two folders, in each format, and what the exit code says. */
import { expect, test } from 'vitest';
import { deployment, manifestDirectory, pod } from '../../../builders/cli_manifests.ts';
import { type Manifest, namespace, policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

const FROM_WEB = { from: [{ podSelector: { matchLabels: { app: 'web' } } }] };

const WORKLOADS = manifestsOf(
  namespace('shop'),
  namespace('monitoring', { team: 'ops' }),
  deployment('shop/web', { app: 'web' }),
  deployment('shop/cart', { app: 'cart' }, [{ name: 'grpc', containerPort: 7070 }]),
  deployment('monitoring/prometheus', { app: 'prometheus' }),
);

function manifestsOf(...manifests: readonly Manifest[]): readonly Manifest[] {
  return manifests;
}

/** Two folders of policies beside the same workloads. */
function folders(before: readonly Manifest[], after: readonly Manifest[]): readonly [string, string] {
  return [manifestDirectory(...WORKLOADS, ...before), manifestDirectory(...WORKLOADS, ...after)];
}

const closed = policy('shop/default-deny', { podSelector: {}, policyTypes: ['Ingress'] });
const cartFromWeb = policy('shop/cart', {
  podSelector: { matchLabels: { app: 'cart' } },
  ingress: [{ ...FROM_WEB, ports: [{ port: 'grpc' }] }],
});
const scrape = (ports: readonly object[]) =>
  policy('shop/scrape', {
    podSelector: {},
    ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'ops' } } }], ports }],
  });

test('wider comes before narrower, with what was, what is, and the rule', async () => {
  const [before, after] = folders([closed, cartFromWeb, scrape([{ port: 9090 }])], [closed, scrape([])]);
  const { code, stdout, stderr } = await runSluice(['diff', before, after]);
  expect(stderr).toBe('');
  expect(stdout).toBe(
    [
      '+ wider     monitoring/deploy/prometheus -> shop/*  TCP/9090 -> all ports  shop/scrape ingress[0] changed',
      '- narrower  shop/deploy/web -> shop/deploy/cart     TCP/7070 -> none       shop/cart ingress[0] removed',
      '= 2 pairs wider, 1 narrower, 18 unchanged',
      '',
    ].join('\n'),
  );
  expect(code).toBe(1);
});

test('wider in some ports and narrower in others is changed', async () => {
  const [before, after] = folders(
    [closed, scrape([{ port: 80, endPort: 90 }])],
    [
      closed,
      scrape([
        { port: 85, endPort: 95 },
        { port: 53, protocol: 'UDP' },
      ]),
    ],
  );
  const { stdout } = await runSluice(['diff', before, after, '--no-headers']);
  expect(stdout).toBe(
    '~ changed  monitoring/deploy/prometheus -> shop/*  TCP/80-90 -> TCP/85-95, UDP/53  shop/scrape ingress[0] changed\n',
  );
});

test('a policy that begins to isolate makes all else narrower', async () => {
  const [before, after] = folders([], [closed]);
  const { code, stdout } = await runSluice(['diff', before, after]);
  expect(stdout).toBe(
    '- narrower  * -> shop/*  all ports -> none  ingress isolated by shop/default-deny (added)\n' +
      '= 10 pairs narrower, 11 unchanged\n',
  );
  expect(code).toBe(0);
});

test('the same files are no change', async () => {
  const [before, after] = folders([closed], [closed]);
  expect(await runSluice(['diff', before, after, '--fail-on', 'any'])).toEqual({
    code: 0,
    stdout: '= 21 pairs unchanged\n',
    stderr: '',
  });
});

test('a label of a workload that changes is a change of connections', async () => {
  const relabelled = WORKLOADS.map((one) =>
    JSON.stringify(one).includes('"name":"web"') ? deployment('shop/web', { app: 'www' }) : one,
  );
  const { stdout } = await runSluice([
    'diff',
    manifestDirectory(...WORKLOADS, closed, cartFromWeb),
    manifestDirectory(...relabelled, closed, cartFromWeb),
    '--no-headers',
  ]);
  expect(stdout).toBe(
    '- narrower  shop/deploy/web -> shop/deploy/cart  TCP/7070 -> none  shop/cart ingress[0], by other labels or ports\n',
  );
});

test('a workload that comes is wider', async () => {
  const [before, after] = folders([closed], [closed, deployment('monitoring/alerts', { app: 'alerts' })]);
  const { stdout } = await runSluice(['diff', before, after]);
  expect(stdout).toBe(
    [
      '+ wider  monitoring/deploy/alerts -> external, any pod of other namespaces, monitoring/deploy/prometheus  none -> all ports  the source is new',
      '+ wider  * -> monitoring/deploy/alerts                                                                    none -> all ports  the destination is new',
      '= 9 pairs wider, 23 unchanged',
      '',
    ].join('\n'),
  );
});

test('whom a policy admits of namespaces that nobody knows is an end too', async () => {
  const ingress = (from: object) =>
    policy('shop/in', { podSelector: { matchLabels: { app: 'cart' } }, ingress: [{ from: [from] }] });
  const [before, after] = folders(
    [ingress({ podSelector: { matchLabels: { app: 'web' } } })],
    [ingress({ namespaceSelector: {}, podSelector: { matchLabels: { app: 'web' } } })],
  );
  const { stdout } = await runSluice(['diff', before, after, '--no-headers']);
  expect(stdout).toBe(
    '+ wider  any pod app=web of other namespaces -> shop/deploy/cart  none -> all ports  shop/in ingress[0] changed\n',
  );
});

test('addresses are cut where policies of either side cut them', async () => {
  const egress = (cidr: string, except: readonly string[]) =>
    policy('shop/out', {
      podSelector: { matchLabels: { app: 'web' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ ipBlock: { cidr, except } }], ports: [{ port: 443 }] }],
    });
  const [before, after] = folders(
    [egress('10.0.0.0/8', ['10.1.0.0/16'])],
    [egress('10.0.0.0/8', ['10.2.0.0/16'])],
  );
  const { stdout } = await runSluice(['diff', before, after, '--no-headers']);
  expect(stdout).toBe(
    [
      '+ wider     shop/deploy/web -> 10.1.0.0/16  none -> TCP/443  shop/out egress[0] changed',
      '- narrower  shop/deploy/web -> 10.2.0.0/16  TCP/443 -> none  shop/out egress[0] changed',
      '',
    ].join('\n'),
  );
});

test.each([
  ['wider', 1, 0],
  ['widen', 1, 0],
  ['narrower', 0, 1],
  ['narrow', 0, 1],
  ['any', 1, 1],
  ['none', 0, 0],
])('--fail-on %s', async (failOn, wider, narrower) => {
  const [less, more] = folders([closed], [closed, scrape([{ port: 9090 }])]);
  const run = async (a: string, b: string) => (await runSluice(['diff', a, b, '--fail-on', failOn])).code;
  expect(await Promise.all([run(less, more), run(more, less)])).toEqual([wider, narrower]);
});

test('workloads of -f are on both sides, and a policy without any that is known is named', async () => {
  const shared = manifestDirectory(...WORKLOADS);
  const other = policy('elsewhere/x', { podSelector: {}, policyTypes: ['Ingress'] });
  const [before, after] = [
    manifestDirectory(closed),
    manifestDirectory(closed, scrape([{ port: 1 }]), other),
  ];
  const { stdout, stderr } = await runSluice(['diff', before, after, '-f', shared, '--no-headers']);
  expect(stdout).toBe(
    '+ wider  monitoring/deploy/prometheus -> shop/*  none -> TCP/1  shop/scrape ingress[0] added\n',
  );
  expect(stderr).toBe(
    'sluice: note: these policies differ, and select no pod that is known, so what they change is not known: elsewhere/x (name the workloads with -f)\n',
  );
});

test('a policy that selects nobody where workloads are known is not said to lack them', async () => {
  const wrong = policy('monitoring/cart', { podSelector: { matchLabels: { app: 'cart' } } });
  const right = policy('shop/cart', { podSelector: { matchLabels: { app: 'cart' } } });
  const [before, after] = folders([closed, wrong], [closed, right]);
  expect((await runSluice(['diff', before, after])).stderr).toBe(
    'sluice: note: these policies differ, and select none of the workloads of their namespace, so they change nothing unless others come: monitoring/cart (now shop/cart)\n',
  );
});

test('a side without workloads is named: the other side is not gone', async () => {
  const [before] = folders([closed], []);
  const after = manifestDirectory(closed, cartFromWeb);
  const { stderr } = await runSluice(['diff', before, after]);
  expect(stderr).toContain(
    `sluice: note: ${after} has no workload, so all connections of the other side differ`,
  );
  expect((await runSluice(['diff', before, after, '-f', before])).stderr).toBe('');
});

test('without a workload there is no answer', async () => {
  const { code, stdout, stderr } = await runSluice(['diff', manifestDirectory(closed), manifestDirectory()]);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain('neither side has a workload');
});

test('a broken policy is an error, and with --ignore-errors it isolates', async () => {
  const broken = policy('shop/broken', { podSelector: {}, ingress: [{ ports: [{ port: 0 }] }] });
  const [before, after] = folders([], [broken]);
  const stopped = await runSluice(['diff', before, after]);
  expect([stopped.code, stopped.stdout]).toEqual([2, '']);
  expect(stopped.stderr).toContain('NetworkPolicy shop/broken');
  const { stdout } = await runSluice(['diff', before, after, '--ignore-errors', '--no-headers']);
  expect(stdout).toBe(
    '- narrower  * -> shop/*  all ports -> none  ingress isolated by shop/broken (added)\n',
  );
});

test('a template that makes no pod is an error, and with --ignore-errors it is left out', async () => {
  const broken = {
    ...deployment('shop/broken', { app: 'broken' }),
    spec: { template: { metadata: { labels: { app: 7 } } } },
  };
  const [before, after] = folders([closed], [closed, broken]);
  const stopped = await runSluice(['diff', before, after]);
  expect([stopped.code, stopped.stdout]).toEqual([2, '']);
  expect(stopped.stderr).toMatch(/^sluice: [^\n]*broken[^\n]*\n$/);
  const ignored = await runSluice(['diff', before, after, '--ignore-errors', '-o', 'json']);
  expect(ignored.stderr).toBe(stopped.stderr.replace('sluice: ', 'sluice: warning: '));
  expect(JSON.parse(ignored.stdout).notes).toEqual([expect.stringContaining('broken')]);
  expect(ignored.code).toBe(0);
});

test.each([
  [['a'], 'wants two to compare'],
  [['a', 'b', 'c'], "'c' is a third"],
  [['--against', 'HEAD'], '--against wants the files'],
  [['--against', 'HEAD', '-'], 'standard input'],
  [['--against', 'HEAD', 'examples', '--lab', 'x'], '--lab is for the side cluster'],
  [['--against', 'no-such', 'examples'], 'no-such is no revision that git has here'],
  [['cluster', 'cluster'], 'the cluster is on both sides'],
  [['-', '-'], 'standard input'],
  [['a', 'b', '--context', 'x'], '--context is for the side cluster'],
  [['a', 'b', '--fail-on', 'x'], '--fail-on'],
])('sluice diff %s is wrong use', async (args, message) => {
  const { code, stderr } = await runSluice(['diff', ...args]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test('markdown is a table for each way of change', async () => {
  const [before, after] = folders([closed, cartFromWeb], [closed, scrape([{ port: 9090 }])]);
  const { stdout } = await runSluice(['diff', before, after, '-o', 'markdown']);
  const shown = stdout.replaceAll(before, 'A').replaceAll(after, 'B');
  expect(shown.replaceAll(/\(([AB])\/[^)]*:\d+:\d+\)/g, '(in $1)')).toBe(
    [
      '### NetworkPolicy: wider, narrower',
      '',
      '`A` → `B`: 2 pairs wider, 1 narrower, 18 unchanged',
      '',
      '**Wider: becomes possible**',
      '',
      '| from | to | ports | because |',
      '| --- | --- | --- | --- |',
      '| `monitoring/deploy/prometheus` | `shop/*` | `none -> TCP/9090` | `shop/scrape ingress[0] added (in B)` |',
      '',
      '**Narrower: becomes impossible**',
      '',
      '| from | to | ports | because |',
      '| --- | --- | --- | --- |',
      '| `shop/deploy/web` | `shop/deploy/cart` | `TCP/7070 -> none` | `shop/cart ingress[0] removed (in A)` |',
      '',
    ].join('\n'),
  );
});

test.each(['text', 'markdown'])('the Internet among many ends is named: %s', async (format) => {
  const more = ['a', 'b', 'c', 'd'].map((app) => deployment(`shop/${app}`, { app }));
  const inner = policy('shop/web', {
    podSelector: { matchLabels: { app: 'web' } },
    egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16', '10.2.0.0/16'] } }] }],
  });
  const open = policy('shop/cart', {
    podSelector: { matchLabels: { app: 'cart' } },
    ingress: [{ ports: [{ port: 6379 }] }],
  });
  const [before, after] = folders([closed, inner, ...more], [closed, inner, open, ...more]);
  const { stdout } = await runSluice(['diff', before, after, '-o', format, '--no-headers']);
  expect(stdout).toContain(
    'external, any pod of other namespaces, monitoring/deploy/prometheus, shop/deploy/a, shop/deploy/b and 3 more',
  );
});

test('hostile names stay in their cell', async () => {
  const owner = 'StatefulSet/x`|\n\u001b[2J<b>@team \\|';
  const one = manifestDirectory(...WORKLOADS, pod('shop/x', { ip: '10.0.0.1', owner }), closed);
  const { stdout } = await runSluice(['diff', manifestDirectory(...WORKLOADS), one, '-o', 'markdown']);
  const rows = stdout.split('\n').filter((line) => line.includes('shop/sts/x'));
  expect(rows.length).toBeGreaterThan(0);
  for (const row of rows) {
    expect(row.match(/^\| (`[^`|]*` \| ){3}`[^`|]*` \|$/)).not.toBeNull();
    expect(row).toContain('x\\u0060\\u007c\\u000a\\u001b[2J<b>@team \\\\u007c');
  }
  expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
});

const CART_FROM = { podSelector: { matchLabels: { app: 'cart' } } };

test.each([
  ['all pods of its namespace', { podSelector: {} }, 'any pod of shop'],
  [
    'a further value',
    { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web', 'new'] }] } },
    'any pod app=new of shop',
  ],
  [
    'any value',
    { podSelector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } },
    'any pod app of shop',
  ],
])(
  'a peer that becomes wider is, though all that are there were admitted before: %s',
  async (_, peer, name) => {
    const { code, stdout } = await diffOfPeers({ podSelector: { matchLabels: { app: 'web' } } }, peer);
    expect(stdout).toBe(`+ wider  ${name} -> shop/pod/cart  none -> all ports  shop/in ingress[0] changed\n`);
    expect(code).toBe(1);
  },
);

function diffOfPeers(before: object, after: object): ReturnType<typeof runSluice> {
  const own = [
    namespace('shop'),
    deployment('shop/web', { app: 'web' }),
    // Itself no other can be.
    pod('shop/cart', { labels: { app: 'cart' } }),
  ];
  const [a, b] = [before, after].map((from) =>
    manifestDirectory(...own, policy('shop/in', { ...CART_FROM, ingress: [{ from: [from] }] })),
  );
  return runSluice(['diff', a ?? '', b ?? '', '--no-headers']);
}

const except = (key: string, ...values: readonly string[]) => ({
  matchExpressions: [{ key, operator: values.length > 0 ? 'NotIn' : 'DoesNotExist', values }],
});

test.each<[string, object, object, string]>([
  [
    'a value',
    { podSelector: except('app', 'web', 'job') },
    { podSelector: except('app', 'web') },
    'app=job of shop',
  ],
  ['all that was left out', { podSelector: except('app', 'job') }, { podSelector: {} }, 'app=job of shop'],
  ['a label', { podSelector: except('zone') }, { podSelector: {} }, 'zone of shop'],
  [
    'a namespace',
    { namespaceSelector: except('kubernetes.io/metadata.name', 'dev', 'prod') },
    { namespaceSelector: except('kubernetes.io/metadata.name', 'prod') },
    'of dev',
  ],
  [
    'namespaces',
    { namespaceSelector: except('env', 'dev') },
    { namespaceSelector: {} },
    'of other namespaces env=dev',
  ],
])(
  'a peer that leaves out less is wider, though nobody that is there was left out: %s',
  async (_, before, after, name) => {
    const { code, stdout } = await diffOfPeers(before, after);
    expect(stdout).toBe(
      `+ wider  any pod ${name} -> shop/pod/cart  none -> all ports  shop/in ingress[0] changed\n`,
    );
    expect(code).toBe(1);
    expect((await diffOfPeers(after, before)).stdout).toMatch(/^- narrower .*\n$/);
  },
);

test('a label that known namespaces have means new pods of these too, as far as their own policies let them', async () => {
  const ingress = (labels: object) =>
    policy('shop/in', {
      ...CART_FROM,
      ingress: [{ from: [{ namespaceSelector: { matchLabels: labels } }] }],
    });
  const more = [
    namespace('ci', { team: 'ops' }),
    deployment('ci/runner', { app: 'runner' }),
    policy('ci/closed', { podSelector: {}, policyTypes: ['Egress'] }),
    // Tells a new pod from the one that is there.
    policy('monitoring/prometheus', {
      podSelector: { matchLabels: { app: 'prometheus' } },
      policyTypes: ['Egress'],
    }),
  ];
  const [before, after] = folders([ingress({ team: 'dev' }), ...more], [ingress({ team: 'ops' }), ...more]);
  const { stdout } = await runSluice(['diff', before, after, '--no-headers']);
  expect(stdout).toMatch(
    /^\+ wider +any pod of other namespaces team=ops, any pod of monitoring -> shop\/deploy\/cart +none -> all ports +shop\/in ingress\[0\] changed\n- narrower +any pod of other namespaces team=dev -> shop\/deploy\/cart /,
  );
});

test('a namespace that is meant by name, and then by a label, is not the only one that has it', async () => {
  const ingress = (labels: object) =>
    policy('shop/in', {
      ...CART_FROM,
      ingress: [{ from: [{ namespaceSelector: { matchLabels: labels } }] }],
    });
  const [before, after] = folders(
    [ingress({ 'kubernetes.io/metadata.name': 'monitoring' })],
    [ingress({ team: 'ops' })],
  );
  const { stdout } = await runSluice(['diff', before, after, '--no-headers']);
  expect(stdout).toBe(
    '+ wider  any pod of other namespaces team=ops -> shop/deploy/cart  none -> all ports  shop/in ingress[0] changed\n',
  );
});
