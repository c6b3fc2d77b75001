import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  deployment,
  manifestDirectory,
  pod,
  shop,
  temporaryDirectory,
} from '../../../builders/cli_manifests.ts';
import { policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

const QUESTION = ['shop/web', 'shop/api', '8080'];

test.each([
  [
    'no manifests and no cluster',
    [...QUESTION, '--kubeconfig', 'no/such/file'],
    'no/such/file cannot be read',
  ],
  ['files and a lab', [...QUESTION, '-f', '.', '--lab', 'x'], '-f and --lab are of different inputs'],
  ['no arguments', ['-f', '.'], 'wants SRC DST PORT[/PROTO], got no argument (see'],
  ['too few arguments', ['shop/web', '-f', '.'], 'wants SRC DST PORT[/PROTO], got 1 argument: shop/web'],
  ['no port', ['shop/web', 'svc/api', '-f', '.'], 'without PORT: DST as svc/NAME:PORT, or --all-ports (see'],
  ['too many arguments', [...QUESTION, 'more', '-f', '.'], 'wants SRC DST PORT[/PROTO], got 4 arguments'],
  ['an unknown flag', [...QUESTION, '--explian', '-f', '.'], "'--explian'; did you mean --explain?"],
  ['an unknown output', [...QUESTION, '-f', '.', '-o', 'xml'], "-o is 'xml': wants text, wide, json or yaml"],
  [
    'a batch and manifests that both are standard input',
    ['--batch', '-', '-f', '-'],
    'both cannot be standard input',
  ],
  ['a question with --batch', [...QUESTION, '--batch', '-', '-f', '.'], '--batch takes no SRC DST PORT'],
  ['a path that is not there', [...QUESTION, '-f', 'no/such/path'], 'no/such/path cannot be read'],
  [
    'a quoted pattern',
    [...QUESTION, '-f', 'no/*.yaml'],
    'no/*.yaml cannot be read: there is no such file or folder; patterns are for the shell: leave out the quotes',
  ],
])('%s is one line on stderr and exit 2', async (_, args, message) => {
  const { code, stdout, stderr } = await runSluice(['can', ...args]);
  expect(stderr).toContain(message);
  expect(stderr).toMatch(/^sluice: [^\n]+\n$/);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test('a wrong --timeout is an error before there is an answer', async () => {
  const { code, stdout, stderr } = await runSluice(['can', ...QUESTION, '-f', shop(), '--timeout', 'abc']);
  expect(stderr).toContain("--timeout is 'abc': wants a time");
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test.each([
  ['a pod that is not there', ['shop/wbe', 'shop/api', '80'], 'have no pod shop/wbe; did you mean shop/web?'],
  ['a pod of another namespace', ['other/web', 'shop/api', '80'], 'did you mean shop/web?'],
  ['a workload that is not there', ['shop/deploy/wen', 'shop/api', '80'], 'did you mean shop/deploy/web?'],
  [
    'the right name of another kind, and no other name',
    ['shop/sts/web', 'shop/api', '80'],
    'have no workload shop/sts/web; did you mean shop/deploy/web?\n',
  ],
  [
    'a name like no other',
    ['shop/unheard-of-things', 'shop/api', '80'],
    'have no pod shop/unheard-of-things\n',
  ],
  ['a name without namespace', ['web', 'shop/api', '80'], "'web' is not an IP address, NAMESPACE/POD"],
  ['an unknown kind', ['shop/cm/web', 'shop/api', '80'], "'shop/cm/web' is not an IP address"],
  ['a Service that is not there', ['shop/web', 'shop/svc/api', '80'], 'have no Service shop/api\n'],
  ['no address block', ['10.0.0.0/80', 'shop/api', '80'], 'is no block of addresses'],
  ['port 0', ['shop/web', 'shop/api', '0'], "port '0' is not in 1-65535"],
  ['port 65536', ['shop/web', 'shop/api', '65536'], "port '65536' is not in 1-65535"],
  [
    'an unknown protocol',
    ['shop/web', 'shop/api', '80/ICMP'],
    "protocol 'ICMP' is not one of TCP, UDP, SCTP",
  ],
  [
    'an unknown port name',
    ['shop/web', 'shop/api', 'metrics'],
    'its named ports: http (8080/TCP), dns (53/UDP)',
  ],
  ['a port name of another protocol', ['shop/web', 'shop/api', 'dns'], "has no TCP port named 'dns'"],
  ['a port name of an address', ['shop/web', '203.0.113.7', 'http'], 'only a pod gives names to its ports'],
])('%s is one line on stderr and exit 2', async (_, question, message) => {
  const { code, stdout, stderr } = await runSluice(['can', ...question, '-f', shop()]);
  expect(stderr).toContain(message);
  expect(stderr).toMatch(/^sluice: [^\n]+\n$/);
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

const BROKEN_POLICY = policy('shop/api-broken', {
  podSelector: { matchLabels: { app: 'api' } },
  ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/33' } }] }],
});

test('a broken policy is an error that names file, document and field', async () => {
  const dir = temporaryDirectory();
  const file = join(dir, 'policies.yaml');
  writeFileSync(file, `---\n${JSON.stringify(pod('shop/api'))}\n---\n${JSON.stringify(BROKEN_POLICY)}\n`);
  const { code, stdout, stderr } = await runSluice(['can', ...QUESTION, '-f', dir]);
  expect(stderr).toMatch(
    /^sluice: \S*policies\.yaml, document 2, NetworkPolicy shop\/api-broken, spec\.ingress\[0\]\.from\[0\]\.ipBlock\.cidr: /,
  );
  expect(stdout).toBe('');
  expect(code).toBe(2);
});

test.each(['networking.k8s.io', 'v1', 'networking.k8s.io/v1beta1'])(
  'a policy of apiVersion %s is an error like any other broken policy',
  async (apiVersion) => {
    const dir = shop({ ...policy('shop/wrong', { podSelector: {}, policyTypes: ['Egress'] }), apiVersion });
    const { code, stdout, stderr } = await runSluice(['can', ...QUESTION, '-f', dir]);
    expect(stderr).toMatch(/^sluice: [^\n]*NetworkPolicy shop\/wrong, items\[\d\]\.apiVersion: [^\n]*\n$/);
    expect(stdout).toBe('');
    expect(code).toBe(2);
    const ignored = await runSluice(['can', ...QUESTION, '-f', dir, '--ignore-errors']);
    expect(ignored.stdout).toContain('isolated by shop/wrong');
    expect(ignored.code).toBe(1);
  },
);

test('two live pods that claim one address are a warning that says whose it is', async () => {
  const dir = shop(
    pod('other/old', { ip: '10.1.0.13' }),
    pod('other/done', { ip: '10.1.0.13', phase: 'Succeeded' }),
  );
  const { code, stderr } = await runSluice(['can', '10.1.0.13', 'shop/web', '80', '-f', dir]);
  expect(stderr).toMatch(
    /^sluice: warning: \S*cluster\.json, document 1, Pod other\/client: claims 10\.1\.0\.13, as other\/old does; the address counts as that of other\/old\n$/,
  );
  expect(code).toBe(1);
});

test('with --ignore-errors a broken policy still isolates and the error is a warning', async () => {
  const dir = manifestDirectory(
    pod('shop/web', { ip: '10.1.0.1' }),
    pod('shop/api', { labels: { app: 'api' } }),
    BROKEN_POLICY,
  );
  const { code, stdout, stderr } = await runSluice(['can', ...QUESTION, '-f', dir, '--ignore-errors']);
  expect(stderr).toMatch(/^sluice: warning: [^\n]*shop\/api-broken/);
  expect(stdout).toContain('isolated by shop/api-broken');
  expect(code).toBe(1);
});

test('a file that is not YAML is an error that names it', async () => {
  const dir = temporaryDirectory();
  writeFileSync(join(dir, 'bad.yaml'), 'kind: [unclosed\n');
  const { code, stderr } = await runSluice(['can', ...QUESTION, '-f', dir]);
  expect(stderr).toMatch(/^sluice: [^\n]*bad\.yaml/);
  expect(code).toBe(2);
});

test('a broken pod template is an error that names the workload and the field', async () => {
  const dir = shop(deployment('shop/cart', { app: 'cart' }, [{ containerPort: 70000 }]));
  const { code, stderr } = await runSluice(['can', 'deploy/cart', 'pod/api', '80', '-n', 'shop', '-f', dir]);
  expect(stderr).toMatch(
    /^sluice: [^\n]*Deployment shop\/cart, spec\.template\.spec\.containers\[0\]\.ports\[0\]/,
  );
  expect(code).toBe(2);
});

const NAMES = `apiVersion: apps/v1
kind: Deployment
metadata: {name: orders, namespace: backend}
spec: {template: {metadata: {labels: {app: orders}}, spec: {containers: [{name: a, image: b}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ingress-nginx-controller, namespace: ingress-nginx}
spec: {template: {metadata: {labels: {app: nginx}}, spec: {containers: [{name: a, image: b}]}}}
`;

test.each([
  ['a bare name', 'orders', '; did you mean backend/deploy/orders?'],
  [
    'the beginning of a name',
    'ingress-nginx/ingress-nginx',
    '; did you mean ingress-nginx/deploy/ingress-nginx-controller?',
  ],
])('%s gets the names that are like it', async (_, from, hint) => {
  const dir = temporaryDirectory();
  writeFileSync(join(dir, 'names.yaml'), NAMES);
  const { code, stderr } = await runSluice(['can', from, '10.0.0.1', '80', '-f', dir]);
  expect(stderr).toContain(hint);
  expect(code).toBe(2);
});

test.each(['lint', 'graph'])('%s with a path in place of -f says so', async (command) => {
  const dir = temporaryDirectory();
  const { code, stderr } = await runSluice([command, dir]);
  expect(stderr).toContain(`'${dir}' is not expected; did you mean -f ${dir}?`);
  expect(code).toBe(2);
});
