/** Files are read as kubectl reads them: where objects are, what words mean, which inputs are taken and which passed over. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ReadOptions, readManifests } from '../../../sources/manifests.ts';
import { describeProblem } from '../../../sources/problem.ts';
import { pod, policy } from '../../builders/injector_manifests.ts';
import { type Manifest, namespace } from '../../builders/manifests.ts';
import { ManifestDir } from '../injector/manifest_dir.ts';

let dir: ManifestDir;

beforeEach(() => {
  dir = new ManifestDir();
});
afterEach(() => dir.close());

/** Reads the directory; problems as lines, each with its severity. */
async function read(options: ReadOptions = {}) {
  const manifests = await readManifests([dir.path], options);
  const problems = manifests.problems.map((problem) =>
    `${problem.severity} ${describeProblem(problem)}`.replaceAll(`${dir.path}/`, ''),
  );
  return { ...manifests, problems };
}

/** A manifest as charts render it. */
function withoutNamespace(manifest: Manifest): Manifest {
  const { namespace: _, ...metadata } = manifest.metadata as Manifest;
  return { ...manifest, metadata };
}

describe('the namespace of an object that does not say', () => {
  const bare = [pod('web', '10.0.0.1'), policy('deny', 'web', [])].map(withoutNamespace);

  test('is the one that was given, in lists too', async () => {
    dir.write('a.yaml', ...bare, {
      apiVersion: 'v1',
      kind: 'List',
      items: [withoutNamespace(pod('db', '10.0.0.2'))],
    });
    dir.write('b.yaml', pod('api', '10.0.0.3'), namespace('shop'));
    const { cluster, problems, objects } = await read({ namespace: 't' });
    expect(problems).toEqual([]);
    expect([...cluster.pods.keys()]).toEqual(['t/web', 't/db', 'shop/api']);
    expect([...cluster.policies.keys()]).toEqual(['t/deny']);
    // What is stored of an object says it too; a Namespace is in none.
    const stored = objects.map(({ raw }) => (raw.metadata as Manifest).namespace);
    expect(stored).toEqual(['t', 't', 't', 'shop', undefined]);
  });

  test('is default where none was given', async () => {
    dir.write('a.yaml', ...bare, { ...bare[0], metadata: { name: 'empty', namespace: '' } });
    const { cluster } = await read();
    expect([...cluster.pods.keys()]).toEqual(['default/web', 'default/empty']);
  });

  test('is that of workloads, and of policies whose text breaks off', async () => {
    dir.write(
      'a.yaml',
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
      {
        apiVersion: 'argoproj.io/v1alpha1',
        kind: 'Rollout',
        metadata: { name: 'api' },
        spec: { template: { spec: {} } },
      },
    );
    dir.write(
      'b.yaml',
      'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: broken}\n' +
        'spec:\n  podSelector: {}\n  ingress: [\n',
    );
    const { cluster, others } = await read({ namespace: 't' });
    expect(others.map(({ raw }) => raw.metadata)).toEqual([
      { name: 'web', namespace: 't' },
      { name: 'api', namespace: 't' },
    ]);
    expect([...cluster.policies.keys()]).toEqual(['t/broken']);
  });
});

describe('words of YAML', () => {
  const valueRead = async (text: string): Promise<unknown> => {
    dir.write('a.yaml', `apiVersion: v1\nkind: ConfigMap\nvalue: ${text}\n`);
    const { others, problems } = await read();
    return others[0]?.raw.value ?? problems[0];
  };

  // Each as `kubectl label --local -o json` prints it.
  test.each<[string, unknown]>([
    ['[yes, Yes, y, Y, on, ON, True]', [true, true, true, true, true, true, true]],
    ['[no, n, N, off, Off, FALSE]', [false, false, false, false, false, false]],
    ['[tRue, oN, yEs]', ['tRue', 'oN', 'yEs']],
    ['[0120, +0120, -0120, 00, 012_0]', [80, 80, -80, 0, 80]],
    ['[0o17, 0O7, 0x1F, 0X1f, 0b11, 0B1]', [15, 7, 31, 31, 3, 1]],
    ['[08, 0_8, 1_000, 1__0, 1_, +5, -0]', [8, 8, 1000, 10, 1, 5, 0]],
    ['[1.10, 5., .5, 0.1e2, 1e3, 1e+3, .5e1, 1_000.5]', [1.1, 5, 0.5, 10, 1000, 1000, 5, 1000.5]],
    ['[_1, 1e, 0x, e5, 1:30, 190:20:30, =]', ['_1', '1e', '0x', 'e5', '1:30', '190:20:30', '=']],
    ['[2001-01-01, 2001-01-01T00:00:00Z]', ['2001-01-01', '2001-01-01T00:00:00Z']],
    ['[~, Null, ]', [null, null]],
    ['["yes", \'0120\', !!str yes, ! on]', ['yes', '0120', 'yes', 'on']],
    ['{yes: 1, 0120: 2, 1.50: 3}', { true: 1, '80': 2, '1.5': 3 }],
  ])('%s', async (text, value) => {
    expect(await valueRead(text)).toEqual(value);
  });

  test('that are no text are refused as labels, with the field', async () => {
    dir.write('a.yaml', 'apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {trusted: yes}}\n');
    const { problems } = await read();
    expect(problems).toEqual([
      'error a.yaml, document 1, Pod default/p, metadata.labels.trusted: Invalid value: true: must be a string',
    ]);
  });

  test('that JSON has not are refused', async () => {
    expect(await valueRead('.inf')).toMatch(/line 3, column 8: \.inf is no number of JSON/);
  });

  test('merge where they stand, from the first map that has the key', async () => {
    dir.write(
      'a.yaml',
      'apiVersion: v1\nkind: ConfigMap\na: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\n' +
        'before: {<<: *a, x: 9}\nboth: {<<: [*a, *b]}\n',
    );
    const { others } = await read();
    expect(others[0]?.raw).toMatchObject({ before: { x: 9, true: 1 }, both: { x: 1, true: 1, z: 2 } });
  });

  test.each([
    ['a key that is there twice', 'a: 1\nb: {c: 1, c: 2}\n', /line 2, column 11: key "c" is there twice/],
    ['an alias without an anchor', 'a: *b\n', /line 1, column 4: /],
    ['an alias within its own anchor', 'a: &a [*a]\n', /stands within its own anchor/],
    ['a key that is a map', '{a: b}: c\n', /a key has to be a text/],
    [
      'another document without a separator',
      'kind: A\n...\nkind: B\n',
      /another document begins without ---/,
    ],
  ])('%s is an error with its place', async (_, text, message) => {
    dir.write('a.yaml', text);
    expect((await read()).problems[0]).toMatch(message);
  });
});

describe('documents that would take long', () => {
  const KEYS = 18_000;

  test('a map of many keys is read in time that grows with it', async () => {
    const labels = Array.from({ length: KEYS }, (_, index) => `    k${index}: v\n`).join('');
    dir.write('a.yaml', `apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  labels:\n${labels}`);
    const { cluster } = await read();
    expect(Object.keys(cluster.pods.get('default/p')?.labels ?? {})).toHaveLength(KEYS);
  });

  test('many anchors are too, each used once', async () => {
    const lines = Array.from(
      { length: KEYS / 3 },
      (_, index) => `k${index}: &a${index} x\nl${index}: *a${index}\n`,
    );
    dir.write('a.yaml', `apiVersion: v1\nkind: ConfigMap\n${lines.join('')}`);
    const { others } = await read();
    expect(others[0]?.raw).toMatchObject({ k0: 'x', l0: 'x', [`l${KEYS / 3 - 1}`]: 'x' });
  });

  test('a large part that is used many times is read', async () => {
    const env = Array.from({ length: 90 }, (_, index) => `e${index}`).join(', ');
    dir.write(
      'a.yaml',
      `kind: A\napiVersion: v1\na: &a [${env}]\nb: [${Array(200).fill('*a').join(', ')}]\n`,
    );
    const { others, problems } = await read();
    expect(problems).toEqual([]);
    expect(others[0]?.raw.b).toHaveLength(200);
  });

  test.each([
    [
      'aliases of aliases',
      Array.from(
        { length: 30 },
        (_, n) => `a${n}: &a${n} [${n === 0 ? 'x' : `*a${n - 1}, *a${n - 1}`}]\n`,
      ).join(''),
      /is hardly more than aliases of aliases/,
    ],
    [
      'merges of merges',
      Array.from(
        { length: 800 },
        (_, n) => `a${n}: &a${n} {z${n}: 1${n === 0 ? '' : `, <<: *a${n - 1}`}}\n`,
      ).join(''),
      /comes to more than 1000000 values/,
    ],
    ['a list in a list in a list', `a: ${'['.repeat(20_000)}\n`, /nests more than 200 levels deep/],
    ['many tokens', `a: [${'x, '.repeat(400_000)}]\n`, /has more than 1000000 YAML tokens/],
  ])('%s are refused, and the next document is read', async (_, text, message) => {
    dir.write('a.yaml', text, pod('web', '10.0.0.1'));
    const { cluster, problems } = await read();
    expect(problems).toEqual([expect.stringMatching(message)]);
    expect(problems[0]).toMatch(/^error a\.yaml, document 1: /);
    expect([...cluster.pods.keys()]).toEqual(['shop/web']);
  });
});

describe('inputs', () => {
  test('JSON objects one after another are objects each', async () => {
    const objects = [pod('web', '10.0.0.1'), pod('a}"{\\', '10.0.0.2'), pod('api', '10.0.0.3')];
    dir.write('a.json', `${objects.map((object) => JSON.stringify(object)).join('\n')}\n`);
    dir.write('b.json', `${JSON.stringify(namespace('a'), null, 2)}${JSON.stringify(namespace('b'))}`);
    const { cluster, problems } = await read();
    expect([...cluster.pods.keys()]).toEqual(['shop/web', 'shop/api']);
    expect([...cluster.namespaces.keys()]).toEqual(['a', 'b']);
    expect(problems.map((problem) => problem.slice(0, 24))).toEqual(
      Array(2).fill('error a.json, document 2,'.slice(0, 24)),
    );
  });

  test('a document behind JSON has the line at which it stands', async () => {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [namespace('a')] }, null, 2);
    dir.write('a.json', `# a list\r\n---\n${list}\n---\na: *b\n`);
    const { cluster, problems } = await read();
    expect([...cluster.namespaces.keys()]).toEqual(['a']);
    const line = 2 + list.split('\n').length + 2;
    expect(problems).toEqual([expect.stringMatching(`^error a\\.json, document 2: line ${line}, column 4`)]);
  });

  test('one broken among them is an error, and nothing of the text is taken', async () => {
    dir.write('a.json', `${JSON.stringify(pod('web', '10.0.0.1'))}\n{"kind": "Pod",\n`);
    const { problems } = await read();
    expect(problems).toEqual([expect.stringMatching(/^error a\.json, document 1: line 2/)]);
  });

  test('a list of nothing is written null', async () => {
    dir.write(
      'a.json',
      '{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicyList","metadata":{},"items":null}',
    );
    dir.write('b.json', '{"apiVersion":"v1","kind":"List","items":null}');
    const { others, problems } = await read();
    expect([others, problems]).toEqual([[], []]);
  });

  test.each([
    ['v1', 'List', { items: 'x' }, 'items: must be a list'],
    ['v1', 'List', { items: { a: policy('deny', 'web', []) } }, 'items: must be a list'],
    ['v1', 'List', { item: [policy('deny', 'web', [])] }, 'items: is required'],
    ['networking.k8s.io/v1', 'NetworkPolicyList', {}, 'items: is required'],
    ['apps/v1', 'DeploymentList', {}, 'items: is required'],
    ['example.org/v1', 'AllowList', { items: 7 }, 'items: must be a list'],
  ])('%s %s of %j is an error: policies may be meant', async (apiVersion, kind, rest, problem) => {
    dir.write('a.yaml', { apiVersion, kind, ...rest });
    expect((await read()).problems).toEqual([`error a.yaml, document 1, ${problem}`]);
  });

  test('a kind of others whose name ends so is no list', async () => {
    dir.write('a.yaml', {
      apiVersion: 'example.org/v1',
      kind: 'AllowList',
      metadata: { name: 'a' },
      spec: {},
    });
    const { others, problems } = await read();
    expect([others.length, problems]).toEqual([1, []]);
  });

  test('generateName becomes a name, the same each time', async () => {
    const unnamed = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { generateName: 'probe-', namespace: 't' },
      spec: {},
    };
    dir.write('a.yaml', unnamed);
    const first = await read();
    const [key = ''] = first.cluster.pods.keys();
    expect(key).toMatch(/^t\/probe-[a-z0-9]{5}$/);
    expect(first.problems).toEqual([
      `warning a.yaml, document 1, Pod ${key}: has generateName: it is called ${key.slice(2)} here`,
    ]);
    expect([...(await read()).cluster.pods.keys()]).toEqual([key]);
  });

  test.each([
    [
      'kustomization.yaml',
      'resources: [a.yaml]\nnamespace: t\n',
      /passed over: is for kustomize: .*kubectl kustomize/,
    ],
    ['values.yaml', 'spec: {replicas: 2}\n', /passed over: is part of a Helm chart: .*helm template/],
    ['values-prod.yaml', 'image: x\n', /passed over: is part of a Helm chart/],
    ['Chart.yaml', 'apiVersion: v2\nname: web\nversion: 1.0.0\n', /passed over: is part of a Helm chart/],
    ['notes.yaml', 'authors: [a, b]\n', /passed over: has neither apiVersion nor kind/],
    [
      'patch.yaml',
      '- {op: replace, path: /spec/replicas, value: 2}\n',
      /passed over: is a list without Kubernetes objects/,
    ],
  ])('%s is passed over with a hint', async (name, text, hint) => {
    dir.write(name, text);
    dir.write('web.yaml', pod('web', '10.0.0.1'));
    const { cluster, problems } = await read();
    expect(problems).toEqual([expect.stringMatching(hint)]);
    expect(problems[0]).toMatch(/^warning /);
    expect([...cluster.pods.keys()]).toEqual(['shop/web']);
  });

  test('what may be an object without its kind is an error', async () => {
    dir.write('a.yaml', 'metadata: {name: deny}\nspec: {podSelector: {}}\n');
    expect((await read()).problems).toEqual(['error a.yaml, document 1, kind: is required']);
  });

  test('a list of objects is an error: kubectl takes none, and a policy may be in it', async () => {
    dir.write('a.json', JSON.stringify([policy('deny', 'web', [])]));
    expect((await read()).problems).toEqual([
      'error a.json, document 1: wants an object with apiVersion and kind, not a list',
    ]);
  });

  test("a chart's template says that it has to be rendered", async () => {
    dir.write('a.yaml', 'apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Release.Name }}}\n');
    expect((await read()).problems).toEqual([expect.stringMatching(/^error .*helm template/)]);
  });
});

describe('policies of other APIs', () => {
  const cilium = {
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name: 'd', namespace: 't' },
  };
  const others: readonly Manifest[] = [
    {
      apiVersion: 'policy.networking.k8s.io/v1alpha2',
      kind: 'ClusterNetworkPolicy',
      metadata: { name: 'd' },
    },
    { apiVersion: 'policy.networking.k8s.io/v1alpha1', kind: 'AdminNetworkPolicy', metadata: { name: 'd' } },
    { apiVersion: 'crd.projectcalico.org/v1', kind: 'GlobalNetworkPolicy', metadata: { name: 'd' } },
    { apiVersion: 'crd.antrea.io/v1beta1', kind: 'NetworkPolicy', metadata: { name: 'd', namespace: 't' } },
    {
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: 'd', namespace: 't' },
    },
    { apiVersion: 'k8s.ovn.org/v1', kind: 'EgressFirewall', metadata: { name: 'd', namespace: 't' } },
    cilium,
  ];

  test.each(others.map((manifest) => [`${manifest.apiVersion} ${manifest.kind}`, manifest] as const))(
    '%s is named as not considered',
    async (_, manifest) => {
      dir.write('a.yaml', manifest);
      const { problems } = await readManifests([dir.path]);
      expect(problems).toEqual([expect.objectContaining({ severity: 'warning', notConsidered: true })]);
      expect(problems[0]?.object).toContain(manifest.kind);
    },
  );

  test('in a List, in a list of theirs, and in a Template', async () => {
    dir.write('a.yaml', { apiVersion: 'v1', kind: 'List', items: [cilium] });
    dir.write('b.yaml', {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNetworkPolicyList',
      items: [{ metadata: cilium.metadata }],
    });
    const { metadata } = policy('deny', 'web', []);
    dir.write('c.yaml', {
      apiVersion: 'template.openshift.io/v1',
      kind: 'Template',
      metadata: { name: 'project-request' },
      objects: [pod('web', '10.0.0.1'), { ...policy('deny', 'web', []), metadata }],
    });
    const { cluster, problems } = await read();
    expect(problems).toEqual([
      "warning a.yaml, document 1, CiliumNetworkPolicy t/d, items[0].apiVersion: 'cilium.io/v2' is not networking.k8s.io/v1: this policy is not considered",
      "warning b.yaml, document 1, CiliumNetworkPolicy t/d, items[0].apiVersion: 'cilium.io/v2' is not networking.k8s.io/v1: this policy is not considered",
      expect.stringMatching(
        /^warning c\.yaml, document 1, Template project-request: passed over with its objects \(2\): .*oc process/,
      ),
      'warning c.yaml, document 1, NetworkPolicy shop/deny, objects[1]: is in Template project-request: this policy is not considered',
    ]);
    expect(cluster.pods.size + cluster.policies.size).toBe(0);
  });

  test('are warnings to the injector too, and break nothing', async () => {
    dir.write('a.yaml', pod('web', '10.0.0.1'), ...others);
    const { problems } = await read();
    expect(problems.filter((problem) => problem.startsWith('error'))).toEqual([]);
    expect(problems).toHaveLength(others.length);
  });
});
