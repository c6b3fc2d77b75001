import { symlinkSync, truncateSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readManifests } from '../../../sources/manifests.ts';
import { describeProblem, type ManifestProblem } from '../../../sources/problem.ts';
import { pod, policy } from '../../builders/injector_manifests.ts';
import { namespace } from '../../builders/manifests.ts';
import { ManifestDir } from '../injector/manifest_dir.ts';

let dir: ManifestDir;

beforeEach(() => {
  dir = new ManifestDir();
});
afterEach(() => dir.close());

const errorsOf = (problems: readonly ManifestProblem[]): string[] =>
  problems
    .filter((problem) => problem.severity === 'error')
    .map((problem) => describeProblem(problem).replaceAll(`${dir.path}/`, ''));

describe('reading manifests', () => {
  test('takes YAML of several documents, JSON, and lists of both kinds', async () => {
    dir.write('a.yaml', namespace('shop'), pod('web', '10.0.0.1'), policy('api', 'api', ['web']));
    dir.write('b.json', JSON.stringify(pod('api', '10.0.0.2')));
    dir.write('c.yml', { apiVersion: 'v1', kind: 'List', items: [pod('db', '10.0.0.3'), namespace('ops')] });
    const { apiVersion: _, kind: __, ...bare } = pod('cache', '10.0.0.4');
    dir.write('d.json', JSON.stringify({ apiVersion: 'v1', kind: 'PodList', items: [bare] }));
    const { cluster, problems, objects } = await readManifests([dir.path]);
    expect(problems).toEqual([]);
    expect([...cluster.pods.keys()].sort()).toEqual(['shop/api', 'shop/cache', 'shop/db', 'shop/web']);
    expect([...cluster.namespaces.keys()].sort()).toEqual(['ops', 'shop']);
    expect([...cluster.policies.keys()]).toEqual(['shop/api']);
    const web = objects.find((object) => object.key === 'shop/web');
    expect(web).toMatchObject({ kind: 'Pod', file: dir.file('a.yaml'), document: 2, raw: { kind: 'Pod' } });
  });

  test('reads files of any name that are given, subdirectories, and a file given twice only once', async () => {
    const file = dir.write('web.manifest', pod('web', '10.0.0.1'));
    dir.write('sub/api.yaml', pod('api', '10.0.0.2'));
    dir.write('sub/.hidden.yaml', 'no: kind');
    dir.write('sub/api.yaml~', 'no: kind');
    const { cluster, problems } = await readManifests([file, dir.path, file]);
    expect(problems).toEqual([]);
    expect([...cluster.pods.keys()]).toEqual(['shop/web', 'shop/api']);
  });

  test('skips blank documents and comments, and counts documents as a reader does', async () => {
    dir.write('a.yaml', '# head\n---\n# nothing\n---\n\n', pod('web', '10.0.0.1'), 'kind: Pod\n');
    const { cluster, problems } = await readManifests([dir.path]);
    expect([...cluster.pods.keys()]).toEqual(['shop/web']);
    expect(errorsOf(problems)[0]).toBe('a.yaml, document 4, Pod, apiVersion: is required');
  });

  test('returns other kinds apart, as they are', async () => {
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'api' } };
    dir.write('a.yaml', pod('web', '10.0.0.1'), map);
    const { others, problems } = await readManifests([dir.path]);
    expect(problems).toEqual([]);
    expect(others).toEqual([
      { apiVersion: 'v1', kind: 'ConfigMap', raw: map, file: dir.file('a.yaml'), document: 2 },
    ]);
  });

  test('names file, document and field of what does not pass validation', async () => {
    const wrong = policy('api', 'api', [], { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/99' } }] }] });
    dir.write('a.yaml', pod('web', '10.0.0.1'), wrong);
    const { problems } = await readManifests([dir.path]);
    expect(errorsOf(problems)).toHaveLength(1);
    expect(errorsOf(problems)[0]).toMatch(
      /^a\.yaml, document 2, NetworkPolicy shop\/api, spec\.ingress\[0\]\.from\[0\]\.ipBlock\.cidr: /,
    );
  });

  test('names the item of a list', async () => {
    const list = { apiVersion: 'v1', kind: 'List', items: [pod('web', '10.0.0.1'), pod('api', 'nonsense')] };
    dir.write('a.yaml', list);
    const { problems } = await readManifests([dir.path]);
    expect(errorsOf(problems)[0]).toMatch(/^a\.yaml, document 1, Pod shop\/api, items\[1\]\.status\.podIP/);
  });

  test('names the line of a syntax error in the file, and still reads the other documents', async () => {
    dir.write('a.yaml', pod('web', '10.0.0.1'), 'kind: Pod\nmetadata: {name: x\n', pod('api', '10.0.0.2'));
    const { cluster, problems } = await readManifests([dir.path]);
    expect([...cluster.pods.keys()]).toEqual(['shop/web', 'shop/api']);
    expect(errorsOf(problems)[0]).toMatch(/^a\.yaml, document 2: line 2\d, column \d+: /);
  });

  test('isolates what a policy selects that does not pass validation', async () => {
    dir.write('a.yaml', policy('api', 'api', ['web'], { ingress: [{ ports: [{ port: 99999 }] }] }));
    const { cluster, objects } = await readManifests([dir.path]);
    expect(cluster.policies.get('shop/api')).toMatchObject({
      podSelector: { matchLabels: { app: 'api' } },
      policyTypes: ['ingress'],
      ingress: [],
    });
    expect(objects[0]).toMatchObject({ isolating: true });
  });

  test('isolates what a policy selects whose text breaks off later on', async () => {
    const head =
      'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: api, namespace: shop}\n';
    dir.write(
      'a.yaml',
      `${head}spec:\n  podSelector: {matchLabels: {app: api}}\n  ingress:\n  - from\n     - x\n`,
    );
    const { cluster, problems } = await readManifests([dir.path]);
    expect(problems).toHaveLength(1);
    expect(cluster.policies.get('shop/api')).toMatchObject({
      podSelector: { matchLabels: { app: 'api' } },
      policyTypes: ['ingress'],
      ingress: [],
    });
  });

  test('isolates nothing where the text breaks off within the selector', async () => {
    const head =
      'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: api, namespace: shop}\n';
    dir.write('a.yaml', `${head}spec:\n  podSelector:\n    matchLabels:\n      app: api\n     tier: "db\n`);
    const { cluster, problems } = await readManifests([dir.path]);
    expect(problems).toHaveLength(1);
    expect(cluster.policies.size).toBe(0);
  });

  test.each([
    'networking.k8s.io',
    'v1',
    'networking.k8s.io/v1beta1',
    'extensions/v1beta1',
    'networking.k8s.oi/v1',
  ])('takes a policy of apiVersion %s for a broken one: it isolates what it selects', async (apiVersion) => {
    dir.write('a.yaml', { ...policy('a', 'api', ['web']), apiVersion });
    const { cluster, objects, problems } = await readManifests([dir.path]);
    expect(errorsOf(problems)).toEqual([
      `a.yaml, document 1, NetworkPolicy shop/a, apiVersion: Unsupported value: "${apiVersion}": supported values: "networking.k8s.io/v1"`,
    ]);
    expect(cluster.policies.get('shop/a')).toMatchObject({
      podSelector: { matchLabels: { app: 'api' } },
      policyTypes: ['ingress'],
      ingress: [],
    });
    expect(objects[0]).toMatchObject({ isolating: true });
  });

  test('takes a pod, namespace or node of a wrong version for an error', async () => {
    dir.write('a.yaml', { ...pod('web', '10.0.0.1'), apiVersion: 'apps/v1' });
    dir.write('b.yaml', { ...namespace('shop'), apiVersion: 'v2' });
    const { cluster, problems } = await readManifests([dir.path]);
    expect(cluster.pods.size + cluster.namespaces.size).toBe(0);
    expect(problems.map(({ path, severity }) => [path, severity])).toEqual([
      ['apiVersion', 'error'],
      ['apiVersion', 'error'],
    ]);
  });

  test('passes over a byte order mark at the start of a document', async () => {
    dir.write('a.json', `\uFEFF${JSON.stringify(namespace('a'))}`);
    dir.write(
      'b.yaml',
      `\uFEFF---\n${JSON.stringify(namespace('b'))}\n---\n\uFEFF${JSON.stringify(namespace('c'))}`,
    );
    const { cluster, problems } = await readManifests([dir.path]);
    expect(problems).toEqual([]);
    expect([...cluster.namespaces.keys()]).toEqual(['a', 'b', 'c']);
  });

  test('reads standard input as a file called -, once however often it is named', async () => {
    async function* input() {
      const text = JSON.stringify(policy('a', 'é', []));
      for (const byte of Buffer.from(text)) yield Buffer.of(byte);
    }
    dir.write('a.yaml', namespace('shop'));
    const { cluster, problems } = await readManifests(['-', dir.path, '-'], { input: input() });
    expect([...cluster.namespaces.keys()]).toEqual(['shop']);
    expect(errorsOf(problems)[0]).toMatch(
      /^standard input, document 1, NetworkPolicy shop\/a, spec\.podSelector/,
    );
  });

  test('takes a misspelt kind for an error and a policy of another group for a warning', async () => {
    dir.write('a.yaml', { ...policy('a', 'api', []), kind: 'NetworkPolcy' });
    dir.write('b.yaml', { ...policy('b', 'api', []), apiVersion: 'crd.projectcalico.org/v1' });
    const { problems } = await readManifests([dir.path]);
    expect(problems.map(({ path, severity }) => [path, severity])).toEqual([
      ['kind', 'error'],
      ['apiVersion', 'warning'],
    ]);
  });

  test('keeps the first of two different versions of an object and names both places', async () => {
    dir.write('a.yaml', pod('web', '10.0.0.1'), namespace('shop'));
    dir.write('b.yaml', namespace('shop'), pod('web', '10.0.0.9'));
    const { cluster, problems } = await readManifests([dir.path]);
    expect(cluster.pods.get('shop/web')?.ips).toEqual(['10.0.0.1']);
    expect(errorsOf(problems)).toEqual([
      `b.yaml, document 2, Pod shop/web: is also in a.yaml, document 1, which stays in force; remove one of them`,
    ]);
    expect(problems.filter((problem) => problem.severity === 'warning')).toHaveLength(1);
  });

  test('refuses text that is not UTF-8', async () => {
    const file = dir.write('a.yaml', '');
    const { writeFileSync } = await import('node:fs');
    writeFileSync(file, Buffer.from([0x61, 0x3a, 0x20, 0xff, 0xfe]));
    const { problems } = await readManifests([dir.path]);
    expect(errorsOf(problems)).toEqual(['a.yaml: is not UTF-8 text']);
  });

  test.each([
    ['lists', '{"kind":"List","items":['.repeat(20_000) + ']}'.repeat(20_000)],
    [
      'a field',
      `{"apiVersion":"v1","kind":"Pod","status":{"phase":${'['.repeat(20_000)}${']'.repeat(20_000)}}}`,
    ],
  ])('spares the other documents when one nests %s too deeply to be read', async (_, deep) => {
    dir.write('a.yaml', `${deep}\n`, pod('web', '10.0.0.1'));
    const { cluster, problems } = await readManifests([dir.path]);
    expect([...cluster.pods.keys()]).toEqual(['shop/web']);
    expect(errorsOf(problems).at(-1)).toMatch(/^a\.yaml, document 1: cannot be read: /);
  });

  test('reads no more of a file than it may have, also where its end is far or nowhere', async () => {
    const sparse = dir.write('a.yaml', '');
    truncateSync(sparse, 3 * 1024 ** 3);
    const { problems } = await readManifests([sparse, '/dev/zero']);
    expect(errorsOf(problems)).toEqual([
      'a.yaml: is larger than 67108864 bytes',
      '/dev/zero: is larger than 67108864 bytes',
    ]);
  });

  test.each([
    ['nowhere', 'nowhere.yaml', /^deny\.yaml: cannot be read: ENOENT/],
    ['in a circle', 'deny.yaml', /^deny\.yaml: cannot be read: ELOOP/],
  ])('a link that leads %s is an error: it may stand for a policy', async (_, target, message) => {
    dir.write('web.yaml', pod('web', '10.0.0.1'));
    symlinkSync(dir.file(target), dir.file('deny.yaml'));
    symlinkSync(dir.file('nowhere'), dir.file('README.md'));
    const { cluster, problems } = await readManifests([dir.path]);
    expect(errorsOf(problems)).toEqual([expect.stringMatching(message)]);
    expect([...cluster.pods.keys()]).toEqual(['shop/web']);
  });

  test('fails with a code on a path that does not exist', async () => {
    await expect(readManifests([dir.file('nowhere')])).rejects.toMatchObject({ code: 'MANIFEST_UNREADABLE' });
  });
});
