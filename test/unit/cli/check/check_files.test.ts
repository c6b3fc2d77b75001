import { describe, expect, test } from 'vitest';
import { manifestDirectory, pod } from '../../../builders/cli_manifests.ts';
import { policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

const namespace = (labels: object = {}, annotations: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', labels: { 'sluice.dev/inject': 'enabled', ...labels }, annotations },
});
const deployment = (spec: object, annotations: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { namespace: 'shop', name: 'web' },
  spec: {
    template: { metadata: { annotations }, spec: { containers: [{ name: 'app', image: 'a' }], ...spec } },
  },
});

const check = (objects: readonly Readonly<Record<string, unknown>>[], ...args: string[]) =>
  runSluice(['check', '-f', manifestDirectory(...objects), ...args]);

describe('sluice check -f', () => {
  test('finds nothing where all can be enforced', async () => {
    const { code, stdout } = await check([namespace(), pod('shop/api'), deployment({})]);

    expect(code).toBe(0);
    expect(stdout).toMatch(/^not looked at: what policies say: sluice lint -f /m);
    expect(stdout.replaceAll(/^not looked at: .*\n/gm, '')).toBe(
      [
        'ok       namespace shop: can be enforced: 2 pods and workloads looked at',
        'ok       settings: judged with default limits, memory 64Mi to 512Mi, CPU 10m to 2: no cluster was asked',
        'ok       cost: 2 sidecars request CPU 20m and memory 128Mi, and may take CPU 4 and memory 1Gi',
        '',
      ].join('\n'),
    );
  });

  test('knows a namespace by anything that is in it', async () => {
    const deny = policy('shop/deny', { podSelector: {} });
    const { code, stdout } = await check([deny], '-n', 'shop');

    expect(code).toBe(0);
    expect(stdout).toMatch(/^warning +CK\d+ {2}namespace shop: has no label sluice\.dev\/inject/m);
    expect((await check([deny], '-n', 'shops')).stdout).toMatch(
      /^error +CK\d+ {2}namespace shops: is not there; did you mean shop\?$/m,
    );
  });

  test('finds the Pod Security level that would refuse every pod', async () => {
    const { code, stdout } = await check([namespace({ 'pod-security.kubernetes.io/enforce': 'baseline' })]);

    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^error +CK\d+ {2}namespace shop: Pod Security 'baseline' refuses .*enforce=privileged$/m,
    );
  });

  test('says which pods are more than Pod Security lets them be once Sluice is enabled', async () => {
    const hostPath = { volumes: [{ name: 'logs', hostPath: { path: '/var/log' } }] };
    const mighty = deployment(hostPath);
    const { code, stdout } = await check([namespace(), pod('shop/api'), mighty]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^error +CK\d+ {2}deployment shop\/web: will be refused: pod has the hostPath volume logs, .*'baseline'.*allow-privileged=true$/m,
    );
    expect(stdout).not.toContain('shop/api');
    expect((await check([namespace({}, { 'sluice.dev/allow-privileged': 'true' }), mighty])).code).toBe(0);

    const strict = await check([namespace({ 'sluice.dev/pod-security': 'restricted' }), pod('shop/api')]);
    expect(strict.stdout).toMatch(
      /^error +CK\d+ {2}pod shop\/api: will be refused: .*runAsNonRoot.*'restricted'/m,
    );
    const unknown = await check([namespace({ 'sluice.dev/pod-security': 'privileged' })]);
    expect(unknown.stdout).toMatch(
      /^warning .*has 'privileged' in the label sluice.dev\/pod-security, which is taken/m,
    );
  });

  test('finds a policy that is too large to be enforced', async () => {
    const from = Array.from({ length: 10_001 }, () => ({ ipBlock: { cidr: '192.0.2.1/32' } }));
    const large = policy('shop/large', { podSelector: {}, ingress: [{ from }] });
    const { code, stdout } = await check([namespace(), pod('shop/api'), large]);

    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^error .*NetworkPolicy shop\/large: has 10002 entries .* it isolates .*, by default limits$/m,
    );
    const raised = { SLUICE_MAX_POLICY_ENTRIES: '10002' };
    const dir = manifestDirectory(namespace(), pod('shop/api'), large);
    expect((await runSluice(['check', '-f', dir], '', raised)).code).toBe(0);
    const lowered = { SLUICE_MAX_POLICY_ENTRIES: '10001' };
    expect((await runSluice(['check', '-f', dir], '', lowered)).stdout).toMatch(
      /10001 are allowed .*, by the limits of this environment$/m,
    );
    const wrong = await runSluice(['check', '-f', dir], '', { SLUICE_MAX_POLICY_ENTRIES: 'many' });
    expect(wrong.stderr).toContain("SLUICE_MAX_POLICY_ENTRIES is 'many'");
    expect(wrong.code).toBe(2);
  });

  test('only warns of a level that only warns', async () => {
    const { code, stdout } = await check([namespace({ 'pod-security.kubernetes.io/warn': 'restricted' })]);

    expect(code).toBe(0);
    expect(stdout).toMatch(/^warning +CK\d+ {2}namespace shop: Pod Security 'restricted' warns/m);
  });

  test('finds a label whose value means nothing, and annotations that nobody reads', async () => {
    const { stdout } = await check([namespace({ 'sluice.dev/inject': 'true' }), pod('shop/api')]);
    expect(stdout).toMatch(
      /^warning +CK\d+ {2}namespace shop: has 'true' in the label sluice.dev\/inject: no pod is injected/m,
    );

    const deliberate = await check([
      namespace({ 'sluice.dev/inject': 'disabled' }),
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'kube-system', labels: { 'sluice.dev/inject': 'true' } },
      },
    ]);
    expect(deliberate.stdout).not.toContain('in the label');

    const misspelt = await check([namespace(), deployment({}, { 'sluice.dev/denny': 'reset' })]);
    expect(misspelt.code).toBe(0);
    expect(misspelt.stdout).toMatch(
      /^warning +CK\d+ {2}deployment shop\/web: annotation sluice.dev\/denny means nothing/m,
    );

    const ofNamespace = {
      'sluice.dev/paths': 'direct',
      'sluice.dev/deny': 'reset',
      'sluice.dev/path': 'direct',
    };
    const { stdout: ofIt } = await check([namespace({}, ofNamespace)]);
    expect(ofIt.match(/annotation \S+ means nothing/g)).toEqual([
      'annotation sluice.dev/paths means nothing',
      'annotation sluice.dev/deny means nothing',
    ]);
  });

  test("finds what injection will refuse in a workload's pods", async () => {
    const mighty = deployment(
      { containers: [{ name: 'vpn', securityContext: { capabilities: { add: ['NET_ADMIN'] } } }] },
      { 'sluice.dev/deny': 'never' },
    );

    const { code, stdout } = await check([namespace(), mighty]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^error +CK\d+ {2}deployment shop\/web: will be refused: container vpn adds NET_ADMIN/m,
    );
    expect(stdout).toMatch(
      /^error +CK\d+ {2}deployment shop\/web: will be refused: annotation sluice.dev\/deny is 'never'/m,
    );
  });

  test('knows what the namespace allows', async () => {
    const allowing = namespace(
      {},
      { 'sluice.dev/allow-privileged': 'true', 'sluice.dev/allow-opt-out': 'true' },
    );
    const mighty = deployment({ containers: [{ name: 'vpn', securityContext: { privileged: true } }] });
    const leftOut = { ...deployment({}, { 'sluice.dev/inject': 'disabled' }), kind: 'StatefulSet' };

    const { code, stdout } = await check([allowing, mighty, leftOut]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^warning +CK\d+ {2}statefulset shop\/web: is left out/m);
  });

  test("looks into a CronJob's template, and says who is on the host network", async () => {
    const { spec, metadata } = deployment({ hostNetwork: true });
    const cron = { apiVersion: 'batch/v1', kind: 'CronJob', metadata, spec: { jobTemplate: { spec } } };

    expect((await check([namespace(), cron])).stdout).toMatch(
      /^error +CK\d+ {2}cronjob shop\/web: will be refused: hostNetwork/m,
    );
  });

  test('finds a path that there is not, of a workload and of its namespace', async () => {
    const { code, stdout } = await check([namespace(), deployment({}, { 'sluice.dev/path': 'fast' })]);

    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^error +CK\d+ {2}deployment shop\/web: will be refused: annotation sluice\.dev\/path is 'fast': 'fast' is not one of proxy, direct, auto/m,
    );
    const everywhere = await check([namespace({}, { 'sluice.dev/path': 'fast' }), deployment({})]);
    expect(everywhere.stdout).toMatch(
      /will be refused: its namespace's annotation sluice\.dev\/path is 'fast'/,
    );
    expect((await check([namespace({}, { 'sluice.dev/path': 'auto' }), deployment({})])).code).toBe(0);
  });

  test('says nothing of labels of a namespace that it cannot read', async () => {
    const labels = { 'sluice.dev/inject': 'enabled' };
    const metadata = { name: 'shop', labels, annotations: { 'sluice.dev/path': true } };
    const { code, stdout } = await check([{ apiVersion: 'v1', kind: 'Namespace', metadata }]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/sluice\.dev\/path: Invalid value: true: must be a string/);
    expect(stdout).not.toMatch(/labelled/);
  });

  test('looks at a namespace before it is labelled, when asked', async () => {
    const plain = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };

    const all = await check([plain]);
    expect(all.stdout).toMatch(/none is labelled/);
    const one = await check([plain], '-n', 'shop', '-o', 'json');
    expect(one.code).toBe(0);
    expect(JSON.parse(one.stdout)).toEqual({
      schema: 'sluice.dev/check/v1',
      findings: [
        {
          level: 'warning',
          code: 'CK203',
          docs: 'docs/reference/check.md#ck203',
          subject: 'namespace shop',
          message: expect.stringContaining('has no label sluice.dev/inject'),
          commands: ['kubectl label namespace shop sluice.dev/inject=enabled --overwrite'],
        },
      ],
      not_looked_at: [expect.stringContaining('sluice lint'), expect.stringContaining('a cluster')],
    });
  });

  test('judges what a pod asks for by the default limits', async () => {
    const asking = (memory: string) =>
      check([namespace(), deployment({}, { 'sluice.dev/memory-request': memory })]);

    expect((await asking('512Mi')).code).toBe(0);
    const { code, stdout } = await asking('513Mi');
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^error +CK\d+ {2}deployment shop\/web: will be refused: .*513Mi is over its limit 512Mi/m,
    );
    expect(stdout).toMatch(/^ok +settings: judged with default limits/m);
  });

  test('names pods whose egress leaves out DNS, once for all of which the same is to be said', async () => {
    const out = policy('shop/out', {
      podSelector: {},
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: {} }], ports: [{ port: 443 }] }],
    });

    const { code, stdout } = await check([namespace(), pod('shop/api'), pod('shop/db'), deployment({}), out]);
    expect(code).toBe(0);
    expect(stdout).toContain(
      'warning  CK403  pod shop/api and 2 more: egress is isolated by shop/out, and no rule admits DNS (UDP/53): names do not resolve\n',
    );
  });

  test('says that kube-system is never injected', async () => {
    const system = { ...namespace(), metadata: { ...namespace().metadata, name: 'kube-system' } };

    expect(await check([system])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('never injected: a cluster needs it to start; take the label'),
    });
    const unlabelled = { ...system, metadata: { ...system.metadata, labels: {} } };
    expect((await check([unlabelled], '-n', 'kube-system')).stdout).toMatch(
      /never injected: a cluster needs it to start$/m,
    );
  });

  test('says what the replicas of workloads cost, and what a limit of their own adds', async () => {
    const many = deployment({}, { 'sluice.dev/cpu-request': '500m' });
    const scaled = { ...many, spec: { ...many.spec, replicas: 3 } };
    const daemonSet = { ...deployment({}), kind: 'DaemonSet' };

    const { stdout } = await check([namespace(), scaled, daemonSet]);
    expect(stdout).toContain(
      'ok       cost: 4 sidecars request CPU 1510m and memory 256Mi, and may take CPU 8 and memory 2Gi; 1 DaemonSet counted as one pod',
    );
    const json = await check([namespace(), scaled], '-o', 'json');
    expect(JSON.parse(json.stdout)).toMatchObject({
      cost: { sidecars: { count: 3, cpu_request_cores: 1.5, memory_request_bytes: 3 * 64 * 1024 ** 2 } },
    });
  });

  test('quotes names of manifests in the commands to paste', async () => {
    const evil = { ...namespace({ 'sluice.dev/inject': 'true' }) };
    const metadata = { ...evil.metadata, name: "x'; reboot" };
    const { stdout } = await check([{ ...evil, metadata }], '-o', 'json');
    expect(stdout).not.toContain("namespace x'; reboot sluice");
  });

  test('finds a pod whose runtime has no TPROXY', async () => {
    const { code, stdout } = await check([namespace(), deployment({ runtimeClassName: 'gvisor' })]);
    expect(stdout).toMatch(/^error +CK104 {2}deployment shop\/web: has the RuntimeClass gvisor/m);
    expect(code).toBe(1);
  });

  test('explains a code, and prints findings alone, in colour, when asked', async () => {
    const explained = await runSluice(['check', '--explain', 'CK304']);
    expect((await runSluice(['check', '--explain', 'ck304'])).stdout).toBe(explained.stdout);
    expect(explained.stdout).toMatch(/^CK304: a pod without a sidecar\n\n.*\n\nWhat to do: Restart/);
    const coloured = await check([namespace()], '--no-headers', '--color', 'always');
    expect(coloured.stdout).toContain('\u001b[32mok\u001b[39m       namespace shop: can be enforced');
    expect(coloured.stdout).not.toContain('not looked at');
  });

  test.each([
    [['-n', 'absent'], 1, ''],
    [['-o', 'yaml'], 2, 'wants text or json'],
    [['--context', 'x'], 2, '-f and --context are of different inputs'],
    [['--what'], 2, '--what'],
    [['--timeout', 'soon'], 2, '--timeout is'],
    [['--explain', 'CK999'], 2, '--explain all lists them'],
  ])('with %j ends with %i', async (args, code, message) => {
    const ended = await check([namespace()], ...args);

    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(message);
  });
});
