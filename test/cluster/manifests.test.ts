/** The manifests, taken by a real API server; the admission policies of the default overlay in force there. */
import type { KubernetesObject } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kustomize } from '../manifests/render.ts';
import { guardScenarios } from '../support/kubernetes/guard_scenarios.ts';
import { settled, TestCluster } from '../support/kubernetes/test_cluster.ts';
import { realCluster } from './access.ts';

const OVERLAYS = ['default', 'high-availability', 'classic'];

let cluster: TestCluster;

beforeAll(async () => {
  cluster = new TestCluster(await realCluster());
});

afterAll(() => cluster.close());

test.each(OVERLAYS)('the API server takes every object of the overlay %s', async (overlay) => {
  const namespace = await cluster.namespace(); // the installation's own is not there in a rehearsal
  for (const object of await kustomize(`manifests/overlays/${overlay}`)) {
    const { metadata } = object;
    const moved = 'namespace' in metadata ? { ...object, metadata: { ...metadata, namespace } } : object;
    // The namespace of an installation that was just removed may still be going.
    const taken = await settled(() => cluster.objects.create(moved as KubernetesObject, undefined, 'All'));
    expect(taken).toMatchObject({ kind: object.kind, metadata: { name: metadata.name } });
  }
});

describe('the admission policies', () => {
  guardScenarios(async () => {
    for (const object of await kustomize('manifests/overlays/default'))
      if (object.kind.startsWith('ValidatingAdmission')) await cluster.create(object as KubernetesObject);
    return realCluster();
  });
});
