/** What the injector relies on to be asked about pods, and admission policies to guard them, asked of any API server. */
import { CoreV1Api, type KubernetesObject, type V1Pod } from '@kubernetes/client-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAuthority } from '../api_server/certificates.ts';
import { type Access, idlePod, settled, TestCluster } from './test_cluster.ts';
import { WebhookServer } from './webhook_server.ts';

type Json = Record<string, unknown>;

const LABEL = 'sluice.dev/test-hook';

/** Registers the scenarios. */
export function admissionScenarios(open: () => Promise<Access>): void {
  let cluster: TestCluster;
  let namespace: string;
  let other: string;
  let core: CoreV1Api;
  let hook: WebhookServer;
  /** Unlike any other test's: old webhooks stay in force for a moment. */
  let label: string;

  beforeEach(async () => {
    cluster = new TestCluster(await open());
    core = cluster.config.makeApiClient(CoreV1Api);
    label = `${LABEL}-${cluster.id}`;
    namespace = await cluster.namespace({ [label]: 'yes' });
    other = await cluster.namespace();
    hook = await WebhookServer.start(cluster, other);
  });

  afterEach(async () => {
    await cluster.close();
    hook.close();
  });

  const create = (body: V1Pod) =>
    core.createNamespacedPod({ namespace: body.metadata?.namespace ?? namespace, body });
  const rehearse = () =>
    core.createNamespacedPod({ namespace, body: idlePod(namespace, 'probe'), dryRun: 'All' });

  /** Puts the configuration in force: until the webhook is asked about a pod that is never stored. */
  async function inForce(configuration: KubernetesObject): Promise<void> {
    await cluster.create(configuration);
    await settled(async () => {
      await rehearse();
      if (hook.requests.length === 0) throw new Error('the webhook is not asked yet');
    });
    hook.requests.length = 0;
  }

  const patch = (...operations: readonly Json[]) => ({
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
  });
  const addLabel = patch({ op: 'add', path: '/metadata/labels/hooked', value: 'yes' });

  test('a pod is stored as the webhook has it; one with a generated name has no name yet', async () => {
    await inForce(hook.configuration(label));
    hook.answer = () => addLabel;
    const { spec } = idlePod(namespace, '');
    const stored = await create({
      metadata: { namespace, generateName: 'a-', labels: { app: 'web' } },
      spec,
    });
    expect(stored.metadata).toMatchObject({
      name: expect.stringMatching(/^a-.+/),
      labels: { app: 'web', hooked: 'yes' },
    });
    const [request] = hook.requests;
    expect(request).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { resource: 'pods' },
      namespace,
      operation: 'CREATE',
      object: {
        kind: 'Pod',
        metadata: { generateName: 'a-', namespace },
        spec: { containers: [{ name: 'app' }], serviceAccountName: 'default', restartPolicy: 'Always' },
      },
      oldObject: null,
      dryRun: false,
    });
    expect(request).not.toHaveProperty('name');
    expect(request?.object.metadata).not.toHaveProperty('name');
  });

  test('a pod of a workload account has its token volume before the webhook is asked', async () => {
    await inForce(hook.configuration(label));
    await create(idlePod(namespace, 'a'));
    expect(hook.requests[0]?.object.spec).toMatchObject({
      volumes: [{ name: expect.stringMatching(/^kube-api-access-/), projected: expect.anything() }],
    });
  });

  test('what the rules, selectors and conditions leave out is not asked about', async () => {
    const matchConditions = [
      { name: 'pod-network', expression: '!has(object.spec.hostNetwork) || !object.spec.hostNetwork' },
    ];
    await inForce(hook.configuration(label, { matchConditions }));
    await create(idlePod(other, 'a'));
    const onHost = idlePod(namespace, 'b');
    await create({ ...onHost, spec: { ...onHost.spec, hostNetwork: true } });
    expect(hook.requests).toEqual([]);
    await create(idlePod(namespace, 'c'));
    expect(hook.requests).toHaveLength(1);
  });

  test('a webhook that may be called again sees what became of the container it added', async () => {
    await inForce(hook.configuration(label, { reinvocationPolicy: 'IfNeeded' }));
    const container = { op: 'add', path: '/spec/containers/-', value: { name: 'second', image: 'app' } };
    hook.answer = () => (hook.requests.length === 1 ? patch(container) : { allowed: true });
    const stored = await create(idlePod(namespace, 'a'));
    expect(stored.spec?.containers.map(({ name }) => name)).toEqual(['app', 'second']);
    expect(hook.requests).toHaveLength(2);
    const volumeMounts = [{ mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }];
    expect(hook.requests[1]?.object.spec).toMatchObject({
      containers: [{}, { name: 'second', volumeMounts }],
    });
  });

  test('a webhook is not called again for a label that it added itself', async () => {
    await inForce(hook.configuration(label, { reinvocationPolicy: 'IfNeeded' }));
    hook.answer = () => addLabel;
    await create(idlePod(namespace, 'a', { app: 'web' }));
    expect(hook.requests).toHaveLength(1);
  });

  test('a refusal reaches who asked, with its message', async () => {
    await inForce(hook.configuration(label));
    hook.answer = () => ({ allowed: false, status: { message: 'not here', code: 403 } });
    await expect(create(idlePod(namespace, 'a'))).rejects.toMatchObject({
      code: 403,
      body: expect.stringContaining('admission webhook \\"hook.sluice.test\\" denied the request: not here'),
    });
  });

  test('a webhook that another authority vouches for is not asked, and nothing is created', async () => {
    const stranger = await createAuthority();
    await cluster.create(hook.configuration(label, {}, stranger.cert));
    await expect
      .poll(() => rehearse().then(() => 'created', bodyOf), { timeout: 15_000 })
      .toMatch(/failed calling webhook .*certificate/);
    expect(hook.requests).toEqual([]);
  });

  test('an admission policy refuses what its expression does not hold for', async () => {
    const name = `images-${cluster.id}`;
    const named = (kind: string, spec: Json) =>
      ({ apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name }, spec }) as KubernetesObject;
    await cluster.create(
      named('ValidatingAdmissionPolicy', {
        matchConstraints: {
          resourceRules: [
            { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] },
          ],
          namespaceSelector: { matchLabels: { [label]: 'yes' } },
        },
        variables: [{ name: 'containers', expression: 'object.spec.containers' }],
        validations: [
          { expression: "variables.containers.all(c, c.image == 'app')", message: 'wants the app' },
        ],
      }),
    );
    await cluster.create(
      named('ValidatingAdmissionPolicyBinding', { policyName: name, validationActions: ['Deny'] }),
    );
    const wrong = idlePod(namespace, 'b');
    wrong.spec.containers = [{ name: 'c', image: 'other' }];
    const rehearseWrong = () => core.createNamespacedPod({ namespace, body: wrong, dryRun: 'All' });
    await expect
      .poll(() => rehearseWrong().then(() => 'created', bodyOf), { timeout: 30_000 })
      .toContain('wants the app');
    await create(idlePod(namespace, 'a'));
  });
}

const bodyOf = (error: unknown): string => String((error as { body?: string }).body);
