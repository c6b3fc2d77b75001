import { expect, test } from 'vitest';
import { deployment, manifestDirectory, pod, shop } from '../../../builders/cli_manifests.ts';
import { policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

test('an allowed flow exits 0 and says so in one line', async () => {
  const { code, stdout, stderr } = await runSluice(['can', 'shop/web', 'shop/api', '8080', '-f', shop()]);
  expect(stdout).toBe('allowed: shop/web -> shop/api TCP/8080\n');
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('a denied flow exits 1 and names the direction and the isolating policies', async () => {
  const dir = shop();
  const { code, stdout } = await runSluice(['can', 'other/client', 'shop/api', '8080/TCP', '-f', dir]);
  expect(stdout.replaceAll(dir, 'DIR').split('\n')).toEqual([
    'denied: other/client -> shop/api TCP/8080 (ingress: isolated by shop/api-allow, shop/default-deny)',
    '  nearest shop/api-allow ingress[0] (DIR/cluster.json:1:1760)',
    '    namespace shop wanted, got namespace other (DIR/cluster.json:1:1769)',
    '    label role=frontend wanted, got no label role (DIR/cluster.json:1:1807)',
    '  fix     shop/api-allow spec.ingress[0] as',
    '    - from:',
    '        - podSelector:',
    '            matchLabels:',
    '              role: frontend',
    '        - namespaceSelector:',
    '            matchLabels:',
    '              kubernetes.io/metadata.name: other',
    '          podSelector:',
    '            matchLabels:',
    '              app: client',
    '      ports:',
    '        - port: 8080',
    '',
  ]);
  expect(code).toBe(1);
});

test.each([
  ['names with -n', ['pod/web', 'po/api', '8080', '-n', 'shop'], 0],
  ['bare pod names with -n', ['web', 'api', '8080', '--namespace', 'shop'], 0],
  ['-n beside a full name', ['other/client', 'pod/api', '8080', '-n', 'shop'], 1],
  ['a workload with -n', ['deploy/web', 'pod/api', '8080', '-n', 'shop'], 0],
  ['a workload with its namespace', ['shop/deployment/web', 'shop/pod/api', '8080'], 0],
  ['addresses of pods', ['10.1.0.11', '10.1.0.10', '8080'], 0],
  ['an address that is not canonical', ['shop/web', 'FD00:0::10', '8080'], 0],
  ['an address in brackets', ['shop/web', '[fd00::10]', '8080'], 0],
  ['a marked address in brackets', ['shop/web', 'ip:[fd00::10]', '8080'], 0],
  ['an address of another pod', ['10.1.0.12', 'shop/api', '8080'], 1],
  ['an external address', ['203.0.113.7', 'shop/api', '8080'], 1],
  ['an external IPv6 address', ['2001:db8::7', 'shop/api', '8080'], 1],
  ['an external destination', ['shop/web', '203.0.113.7', '443'], 0],
  ['a marked address', ['ip:203.0.113.7', 'other/client', '443'], 0],
  ['a protocol in small letters', ['shop/web', 'shop/api', '8080/udp'], 1],
  ['SCTP', ['shop/web', 'other/client', '8080/SCTP'], 0],
  ['a named port', ['shop/web', 'shop/api', 'http'], 0],
  ['a named port with its protocol', ['shop/web', 'shop/api', 'dns/UDP'], 1],
  ['a named port of a pod given by address', ['shop/web', '10.1.0.10', 'http'], 0],
])('accepts %s', async (_, args, expected) => {
  const { code, stderr } = await runSluice(['can', ...args, '-f', shop()]);
  expect(stderr).toBe('');
  expect(code).toBe(expected);
});

test('reads manifests from standard input', async () => {
  const manifests = [
    pod('a/x', { ip: '10.1.0.1' }),
    pod('a/y', { ip: '10.1.0.2' }),
    policy('a/deny', { podSelector: {} }),
  ];
  const input = manifests.map((manifest) => `---\n${JSON.stringify(manifest)}\n`).join('');
  const { code, stdout, stderr } = await runSluice(['can', 'a/x', 'a/y', '80', '-f', '-'], input);
  expect(stderr).toBe('');
  expect(stdout).toContain('isolated by a/deny');
  expect(code).toBe(1);
});

test('without -n, pod/x and deploy/x are in the namespace default', async () => {
  const dir = manifestDirectory(
    pod('default/web', { ip: '10.1.0.1' }),
    deployment('default/api', { app: 'api' }),
  );
  const { code, stdout } = await runSluice(['can', 'pod/web', 'deploy/api', '80', '-f', dir]);
  expect(stdout).toContain('default/web -> default/deploy/api (template)');
  expect(code).toBe(0);
});

test('without -n, a namespace that is called like a kind keeps its pods reachable', async () => {
  const dir = manifestDirectory(pod('pod/web', { ip: '10.1.0.1' }), pod('default/web', { ip: '10.1.0.2' }));
  const { stdout } = await runSluice(['can', 'pod/web', 'default/web', '80', '-f', dir]);
  expect(stdout).toContain('pod/web -> default/web');
});

test('a workload is one of its pods, passing over those that are finished', async () => {
  const dir = manifestDirectory(
    pod('shop/web-5d4f8c7b9d-aaaaa', { phase: 'Failed', ip: '10.1.0.1', owner: 'ReplicaSet/web-5d4f8c7b9d' }),
    pod('shop/web-5d4f8c7b9d-bbbbb', { ip: '10.1.0.2', owner: 'ReplicaSet/web-5d4f8c7b9d' }),
    pod('shop/api', { ip: '10.1.0.3' }),
  );
  const { stdout } = await runSluice(['can', 'deploy/web', 'pod/api', '80', '-n', 'shop', '-f', dir]);
  expect(stdout).toContain('shop/web-5d4f8c7b9d-bbbbb -> shop/api');
});

test('a workload to itself is a flow between two of its pods', async () => {
  const dir = manifestDirectory(
    deployment('shop/web', { app: 'web' }),
    policy('shop/deny', { podSelector: { matchLabels: { app: 'web' } } }),
  );
  const { code, stdout } = await runSluice([
    'can',
    'deploy/web',
    'deploy/web',
    '80',
    '-n',
    'shop',
    '-f',
    dir,
  ]);
  expect(stdout).toContain('shop/deploy/web (template) -> shop/deploy/web (template, pod 2)');
  expect(code).toBe(1);
});

test('a workload without pods is judged by the labels and ports of its template', async () => {
  const dir = shop(deployment('shop/cart', { role: 'frontend' }, [{ name: 'web', containerPort: 9000 }]));
  const asSource = await runSluice(['can', 'deploy/cart', 'pod/api', '8080', '-n', 'shop', '-f', dir]);
  expect(asSource.code).toBe(0);
  const asDestination = await runSluice(['can', 'pod/web', 'deploy/cart', 'web', '-n', 'shop', '-f', dir]);
  expect(asDestination.stdout).toContain('TCP/9000');
  expect(asDestination.code).toBe(1);
});

test('several files may follow one -f, before or after the question', async () => {
  const one = `${manifestDirectory(pod('a/x', { ip: '10.1.0.1' }))}/cluster.json`;
  const two = `${manifestDirectory(pod('a/y', { ip: '10.1.0.2' }))}/cluster.json`;
  for (const args of [
    ['a/x', 'a/y', '80', '-f', one, two],
    ['-f', one, two, 'a/x', 'a/y', '80'],
    ['-f', one, 'a/x', 'a/y', '80', '-f', two],
  ]) {
    const { code, stderr } = await runSluice(['can', ...args]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
  }
});

test('--help prints the help and exits 0', async () => {
  const { code, stdout, stderr } = await runSluice(['can', '--help']);
  expect(stdout).toContain('usage: sluice can SRC DST PORT[/PROTO]');
  expect(stderr).toBe('');
  expect(code).toBe(0);
});
