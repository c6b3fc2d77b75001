import { describe, expect, test } from 'vitest';
import { pod, shop } from '../../../builders/cli_manifests.ts';
import { kubeDns, namespace, policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

test('--explain says of both directions why, and names the nearest rule once', async () => {
  const dir = shop();
  const { stdout } = await runSluice(['can', 'shop/batch', 'shop/api', '8080', '-f', dir, '--explain']);
  expect(stdout.replaceAll(dir, 'DIR').split('\n')).toEqual([
    'denied: shop/batch -> shop/api TCP/8080 (ingress: isolated by shop/api-allow, shop/default-deny)',
    '  egress from shop/batch (10.1.0.12): allowed',
    '    no policy isolates the pod for egress',
    '  ingress to shop/api (10.1.0.10, fd00::10): denied',
    '    isolated by shop/api-allow, shop/default-deny',
    '  nearest shop/api-allow ingress[0] (DIR/cluster.json:1:1760)',
    '    label role=frontend wanted, got role=front (DIR/cluster.json:1:1807)',
    '  fix     shop/api-allow spec.ingress[0] as',
    '    - from:',
    '        - podSelector:',
    '            matchLabels:',
    '              role: frontend',
    '        - podSelector:',
    '            matchLabels:',
    '              app: batch',
    '              role: front',
    '      ports:',
    '        - port: 8080',
    '',
  ]);
});

test('--explain shows the rule that admits a flow, and who isolates', async () => {
  const { stdout } = await runSluice([
    'can',
    'deploy/web',
    'api',
    '8080',
    '-n',
    'shop',
    '-f',
    shop(),
    '--explain',
  ]);
  expect(stdout).toContain('  egress from shop/web (10.1.0.11, deploy/web): allowed\n');
  expect(stdout).toContain('    isolated by shop/api-allow, shop/default-deny\n');
  expect(stdout).toContain('    admitted by rule shop/api-allow ingress[0]\n');
});

test('both directions are explained where both deny', async () => {
  const dir = shop(policy('other/quiet', { podSelector: {}, policyTypes: ['Egress'] }));
  const { code, stdout } = await runSluice([
    'can',
    'other/client',
    'shop/api',
    '8080',
    '-f',
    dir,
    '--explain',
  ]);
  expect(stdout).toContain('  egress from other/client (10.1.0.13): denied\n    isolated by other/quiet\n');
  expect(stdout).toContain(
    'nothing is admitted: no rule for this direction, or only blocks, and the other end has no address yet',
  );
  expect(stdout).toContain('  ingress to shop/api (10.1.0.10, fd00::10): denied\n');
  expect(code).toBe(1);
});

test.each([
  ['an external address', '203.0.113.7', 'other/client', 'is not a pod that policy can select'],
  ['a pod to itself', 'shop/api', 'shop/api', 'a pod always reaches itself'],
  ['the own node', '192.0.2.1', 'shop/api', 'traffic between a pod and its own node is always allowed'],
  ['a pod on the host network', 'shop/agent', 'other/client', 'is not a pod that policy can select'],
])('says why %s is exempt', async (_, from, to, reason) => {
  const dir = shop(pod('shop/agent', { ip: '192.0.2.9', hostIP: '192.0.2.9', hostNetwork: true }));
  const { code, stdout } = await runSluice(['can', from, to, '8080', '-f', dir, '--explain']);
  expect(stdout).toContain(reason);
  expect(code).toBe(0);
});

test('output to a pipe has no colour codes', async () => {
  const { stdout } = await runSluice(['can', 'shop/web', 'shop/api', '8080', '-f', shop()]);
  expect(stdout.startsWith('allowed:')).toBe(true);
});

describe('egress that forgets DNS', () => {
  const QUESTION = ['can', 'shop/web', 'shop/api', '8080', '--explain'];
  const isolated = (egress: readonly object[]) =>
    policy('shop/out', { podSelector: {}, policyTypes: ['Egress'], egress });
  const nameServer = [
    namespace('kube-system'),
    pod('kube-system/coredns', { labels: { 'k8s-app': 'kube-dns' }, ip: '10.1.9.9' }),
    kubeDns(),
  ];

  test('is said of the source, judged by the name server of the manifests', async () => {
    const dir = shop(isolated([{ to: [{ podSelector: {} }] }]), ...nameServer);
    expect((await runSluice([...QUESTION, '-f', dir])).stdout).toContain(
      '    warning: egress is isolated by shop/out, and no rule admits DNS, which is kube-system/kube-dns (10.1.9.9 UDP/53): names do not resolve\n',
    );
  });

  test('is not said where a rule reaches it', async () => {
    const dir = shop(isolated([{ to: [{ namespaceSelector: {} }] }]), ...nameServer);
    expect((await runSluice([...QUESTION, '-f', dir])).stdout).not.toContain('warning');
  });

  test('is said without one where no rule admits UDP/53 to anybody', async () => {
    const dir = shop(isolated([{ ports: [{ port: 8080 }] }]));
    expect((await runSluice([...QUESTION, '-f', dir])).stdout).toContain(
      '    warning: egress is isolated by shop/out, and no rule admits DNS (UDP/53): names do not resolve\n',
    );
  });
});

test.each([
  ['8080', 'TCP', undefined],
  ['9090', 'TCP', 'only TCP to 8080, and what its policies admit'],
  ['8080', 'UDP', 'only TCP to 8080, and what its policies admit'],
])('the own node at %s/%s of a pod that takes its probes only', async (port, protocol, note) => {
  const probe = { httpGet: { port: 8080 } };
  const spec = { containers: [{ name: 'app', image: 'app', livenessProbe: probe }] };
  const annotations = { 'sluice.dev/node-traffic': 'probes' };
  const plain = pod('shop/narrow', { ip: '10.1.0.40' });
  const narrow = { ...plain, metadata: { namespace: 'shop', name: 'narrow', annotations }, spec };
  const other = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'all', annotations } };
  const inherits = { ...pod('all/x', { ip: '10.1.0.41' }), spec };
  const dir = shop(narrow, other, inherits);
  for (const to of ['shop/narrow', 'all/x']) {
    const { code, stderr } = await runSluice(['can', '192.0.2.1', to, `${port}/${protocol}`, '-f', dir]);
    expect(code).toBe(0);
    if (note === undefined) expect(stderr).not.toContain('node-traffic');
    else expect(stderr).toContain(`${note}\n`);
  }
});
