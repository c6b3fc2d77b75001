import { describe, expect, test } from 'vitest';
import { manifestDirectory, pod } from '../support/manifest_builders.ts';
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
    expect(stdout).toBe('ok       namespace shop: can be enforced: 2 pods and workloads looked at\n');
  });

  test('finds the Pod Security level that would refuse every pod', async () => {
    const { code, stdout } = await check([namespace({ 'pod-security.kubernetes.io/enforce': 'baseline' })]);

    expect(code).toBe(1);
    expect(stdout).toMatch(/^error +namespace shop: Pod Security 'baseline' refuses .*enforce=privileged$/m);
  });

  test('only warns of a level that only warns', async () => {
    const { code, stdout } = await check([namespace({ 'pod-security.kubernetes.io/warn': 'restricted' })]);

    expect(code).toBe(0);
    expect(stdout).toMatch(/^warning +namespace shop: Pod Security 'restricted' warns/m);
  });

  test('finds a label whose value means nothing, and annotations that nobody reads', async () => {
    const { stdout } = await check([namespace({ 'sluice.dev/inject': 'true' }), pod('shop/api')]);
    expect(stdout).toMatch(
      /^warning +namespace shop: has 'true' in the label sluice.dev\/inject: no pod is injected/m,
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
      /^warning +deployment shop\/web: annotation sluice.dev\/denny means nothing/m,
    );
  });

  test("finds what injection will refuse in a workload's pods", async () => {
    const mighty = deployment(
      { containers: [{ name: 'vpn', securityContext: { capabilities: { add: ['NET_ADMIN'] } } }] },
      { 'sluice.dev/deny': 'never' },
    );

    const { code, stdout } = await check([namespace(), mighty]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^error +deployment shop\/web: will be refused: container vpn adds NET_ADMIN/m);
    expect(stdout).toMatch(
      /^error +deployment shop\/web: will be refused: annotation sluice.dev\/deny is 'never'/m,
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
    expect(stdout).toMatch(/^warning +statefulset shop\/web: is left out/m);
  });

  test("looks into a CronJob's template, and says who is on the host network", async () => {
    const { spec, metadata } = deployment({ hostNetwork: true });
    const cron = { apiVersion: 'batch/v1', kind: 'CronJob', metadata, spec: { jobTemplate: { spec } } };

    expect((await check([namespace(), cron])).stdout).toMatch(
      /^error +cronjob shop\/web: will be refused: hostNetwork/m,
    );
  });

  test('looks at a namespace before it is labelled, when asked', async () => {
    const plain = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };

    const all = await check([plain]);
    expect(all.stdout).toMatch(/none is labelled/);
    const one = await check([plain], '-n', 'shop', '-o', 'json');
    expect(one.code).toBe(0);
    expect(JSON.parse(one.stdout)).toEqual({
      findings: [
        {
          level: 'warning',
          subject: 'namespace shop',
          message: expect.stringContaining('has no label sluice.dev/inject'),
        },
      ],
    });
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

  test.each([
    [['-n', 'absent'], 1, ''],
    [['-o', 'yaml'], 2, 'wants text or json'],
    [['--context', 'x'], 2, 'leave --kubeconfig and --context out'],
    [['--what'], 2, '--what'],
  ])('with %j ends with %i', async (args, code, message) => {
    const ended = await check([namespace()], ...args);

    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(message);
  });
});
