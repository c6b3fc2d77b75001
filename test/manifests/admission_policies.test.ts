/** The ValidatingAdmissionPolicies of the default overlay, in force in the API-server double without any webhook. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAdmittedPod } from '../../injector/admission/pod/pod_object.ts';
import { podSecurityFaults } from '../../injector/admission/privileges/pod_security.ts';
import { injected, pod, type TestPod } from '../builders/admitted_pods.ts';
import { clientOf } from '../builders/stored_objects.ts';
import { ApiServer } from '../support/api_server/api_server.ts';
import { resourceOfKind } from '../support/api_server/resources.ts';
import { guardScenarios } from '../support/kubernetes/guard_scenarios.ts';
import { oddPod } from './odd_pod.ts';
import { kustomize } from './render.ts';

function podResource() {
  const resource = resourceOfKind('v1', 'Pod');
  if (resource === undefined) throw new Error('the double has no pods');
  return resource;
}

/** A double with the policies in force. */
async function guarded(): Promise<ApiServer> {
  const server = await ApiServer.start();
  await server.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } });
  for (const object of await kustomize('manifests/overlays/default'))
    if (object.kind.startsWith('ValidatingAdmission')) await server.create({ ...object });
  return server;
}

guardScenarios(async () => {
  const server = await guarded();
  return { config: clientOf(server), host: '127.0.0.1', close: () => server.close() };
});

describe('beside the webhook', () => {
  let server: ApiServer;
  const labels = { 'sluice.dev/inject': 'enabled' };
  const allowing = { 'sluice.dev/allow-privileged': 'true' };
  const inNamespace = (namespace: string, object: TestPod) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    ...object,
    metadata: { ...object.metadata, namespace },
  });

  beforeAll(async () => {
    server = await guarded();
    for (const [name, more, annotations] of [
      ['baseline', {}, {}],
      ['restricted', { 'sluice.dev/pod-security': 'restricted' }, {}],
      ['lenient', {}, allowing],
    ] as const)
      await server.create({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels: { ...labels, ...more }, annotations },
      });
  });
  afterAll(() => server.close());

  test('the audit log says what a namespace has allowed, and nothing where it has not', async () => {
    const exec = (namespace: string) =>
      server.api.connect(
        { resource: podResource(), namespace, name: 'api', subresource: 'exec' },
        { container: 'sluice-sidecar' },
      );
    const open = injected(pod({ hostIPC: true, shareProcessNamespace: true }), { namespace: allowing });
    await server.create(inNamespace('lenient', open));
    await expect(exec('lenient')).rejects.toThrow(/a host assigned/);
    await server.create(inNamespace('baseline', injected(pod())));
    await expect(exec('baseline')).rejects.toThrow(/who gets into/);

    expect(server.api.audited).toEqual([
      {
        'sluice-pods/allowed-privileges': 'pod shares processes',
        'sluice-pod-security/allowed-privileges': 'pod has hostIPC',
      },
      { 'sluice-connect/allowed-privileges': 'exec into sluice-sidecar' },
    ]);
  });

  test('both judge alike what is more than Pod Security allows', async () => {
    let [taken, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(oddPod(), fc.constantFrom('baseline', 'restricted'), async (spec, level) => {
        const parsed = parseAdmittedPod({ apiVersion: 'v1', kind: 'Pod', ...pod(spec) });
        if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
        const faults = podSecurityFaults(parsed.object, level);
        const object = injected(pod(spec), { namespace: allowing });
        const answer = await server.create(inNamespace(level, object), { dryRun: true }).then(
          () => 'taken',
          (error: Error) => error.message,
        );
        if (faults.length === 0) expect(answer).toBe('taken');
        else expect(answer).toMatch(/sluice-pod-security|sluice-pods/);
        for (const { subject } of faults) expect(answer).toMatch(new RegExp(`${subject} |sluice-pods`));
        if (faults.length === 0) taken += 1;
        else refused += 1;
      }),
      { numRuns: 200 },
    );
    expect(Math.min(taken, refused)).toBeGreaterThan(20);
  });
});
