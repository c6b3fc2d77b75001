/** What `sluice describe` says to a question that it cannot answer, and how lists that are long are cut. */
import { expect, test } from 'vitest';
import { deployment, manifestDirectory, pod } from '../../../builders/cli_manifests.ts';
import { namespace, policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';
import { describeIn, shopFiles } from './shop_files.ts';

const HELP = ' (see sluice describe --help)\n';

test.each([
  ['nothing', [], `wants KIND/NAME or KIND NAME, got nothing${HELP}`],
  ['a kind without a name', ['netpol'], `which netpol? Write it as netpol/NAME${HELP}`],
  [
    'a kind that is nearly one',
    ['depoly', 'web'],
    `'depoly' is no kind that can be described; did you mean deploy?${HELP}`,
  ],
  ['an unknown kind', ['shop/cm/web'], "'shop/cm/web' is no kind"],
  [
    'a Service',
    ['svc/web'],
    `a Service is not governed by policies: describe a pod or workload behind it, or ask sluice can SRC svc/web:PORT${HELP}`,
  ],
  [
    'an empty part',
    ['shop//web'],
    "'shop//web' is none of NAME, KIND/NAME, NAMESPACE/NAME and NAMESPACE/KIND/NAME",
  ],
  ['too many words', ['pod', 'a', 'b'], 'wants KIND/NAME or KIND NAME, got pod a b'],
])('%s is one line and exit code 2, before anything is read', async (_, words, message) => {
  const { code, stdout, stderr } = await runSluice(['describe', ...words, '--kubeconfig', 'no/such/file']);
  expect(stderr).toContain(message.replace("'shop/cm/web'", "'cm'"));
  expect(stderr).toMatch(/^sluice: [^\n]+\n$/);
  expect([code, stdout]).toEqual([2, '']);
});

test.each([
  ['pod', ['shop/pod/db-1'], 'no pod shop/db-1; did you mean shop/db-0?'],
  [
    'workload',
    ['deploy/crat', '-n', 'shop'],
    'no workload shop/deploy/crat; did you mean shop/deploy/cart or shop/deploy/web?',
  ],
  [
    'name',
    ['shop/prometheus'],
    'no pod or workload shop/prometheus; did you mean monitoring/sts/prometheus?',
  ],
  ['policy', ['shop/netpol/scrap'], 'no NetworkPolicy shop/scrap; did you mean shop/scrape?'],
  ['namespace', ['ns/shpo'], 'no namespace shpo; did you mean shop?'],
  [
    'namespace that looks like a kind',
    ['depoly/web'],
    "'depoly' is neither a kind nor a namespace; did you mean deploy?",
  ],
  ['name like no other', ['shop/unheard-of-things'], 'no pod or workload shop/unheard-of-things\n'],
])('an unknown %s is answered with what it is like', async (_, words, message) => {
  const { code, stdout, stderr } = await describeIn(shopFiles(), ...words);
  expect(stderr).toContain(message);
  expect([code, stdout]).toEqual([2, '']);
});

test('a name that two kinds have is to be written out', async () => {
  const both = manifestDirectory(namespace('shop'), deployment('shop/web', { app: 'web' }), {
    ...deployment('shop/web', { app: 'web' }),
    kind: 'DaemonSet',
  });
  const { code, stderr } = await describeIn(both, 'shop/web');
  expect(stderr).toBe('sluice: shop/web may be shop/deploy/web or shop/ds/web: write which\n');
  expect(code).toBe(2);
});

test('a broken policy is named, and the rest described as it would be enforced', async () => {
  const folder = shopFiles(`apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: broken, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{ipBlock: {cidr: nonsense}}]}]
`);
  const { code, stdout, stderr } = await describeIn(folder, 'deploy/web', '-n', 'shop');
  expect(stderr).toMatch(
    /^sluice: not read: shop\/30-more\.yaml, document 1, NetworkPolicy shop\/broken, spec\.ingress\[0]/,
  );
  expect(stdout).toContain('INGRESS  isolated by broken, default-deny, scrape\n');
  expect(stdout).toContain('  ! NP013 ');
  expect(code).toBe(0);
});

test('a manifest that cannot be read is exit code 2, and the rest is described', async () => {
  const { code, stdout, stderr } = await describeIn(
    shopFiles('kind: Pod\nmetadata: {name: x\nspec: {}\n'),
    'deploy/web',
    '-n',
    'shop',
  );
  expect(stderr).toMatch(/^sluice: not read: shop\/30-more\.yaml, document 1: [^\n]+\n$/);
  expect(stdout).toContain('INGRESS  isolated by default-deny, scrape\n');
  expect(code).toBe(2);
});

/** Pods of a policy that is about everybody. */
const MANY = 1_000;

test('a thousand pods are counted, and few are named', async () => {
  const folder = manifestDirectory(
    namespace('big'),
    ...Array.from({ length: MANY }, (_, at) => pod(`big/p-${at}`, { labels: { app: `a${at % 50}` } })),
    policy('big/all', {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: Array.from({ length: 100 }, (_, at) => ({
        from: [{ podSelector: { matchLabels: { app: `a${at % 60}` } } }],
      })),
    }),
  );
  const { stdout } = await describeIn(folder, 'big/netpol/all');
  const lines = stdout.split('\n');
  expect(lines).toContain('selects   big/*: 1000 pods: pod/p-0, pod/p-1, pod/p-2 and 997 more');
  expect(lines).toContain(
    '  big/[app=a0]   all    all ingress[0]   20 pods: pod/p-0, pod/p-50, pod/p-100 and 17 more',
  );
  expect(lines).toContain('  and 70 more rules');
  expect(lines.length).toBeLessThan(60);
  const { stdout: json } = await describeIn(folder, 'big/netpol/all', '-o', 'json');
  expect(json.length).toBeLessThan(200_000);
  expect(JSON.parse(json)).toMatchObject({
    selects: { pods: { count: MANY, first: Array.from({ length: 10 }, (_, at) => `p-${at}`) } },
    ingress: { rules: { count: 100 } },
  });
});
