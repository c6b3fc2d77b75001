/** What the injector watches, and the rights that the manifests grant for it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { RawObject } from '../../../../injector/api/raw_object.ts';
import { watchedResources } from '../../../../injector/kubernetes/watched_kinds.ts';
import { DEFAULT_POLICY_LIMITS, KINDS } from '../../../../policy/index.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

test('each kind is watched where the API server has it', () => {
  expect(watchedResources(DEFAULT_POLICY_LIMITS).map(({ kind, path }) => [kind, path])).toEqual([
    ['Namespace', '/api/v1/namespaces'],
    ['Node', '/api/v1/nodes'],
    ['NetworkPolicy', '/apis/networking.k8s.io/v1/networkpolicies'],
    ['Pod', '/api/v1/pods'],
    ['Service', '/api/v1/services'],
    ['EndpointSlice', '/apis/discovery.k8s.io/v1/endpointslices'],
  ]);
});

test('the injector may list and watch each kind', () => {
  const documents = parseAllDocuments(readFileSync('manifests/base/rbac.yaml', 'utf8'));
  const roles: readonly { readonly kind: string; readonly rules: readonly Rule[] }[] = documents.map((one) =>
    one.toJSON(),
  );
  const rules = roles.find(({ kind }) => kind === 'ClusterRole')?.rules ?? [];
  for (const { apiVersion, plural } of Object.values(KINDS)) {
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
    const rule = rules.find(
      ({ apiGroups, resources }) => apiGroups.some((one) => one === group) && resources.includes(plural),
    );
    expect(rule?.verbs, plural).toEqual(expect.arrayContaining(['list', 'watch']));
  }
});

test('of an object nothing is kept that policy does not need', () => {
  const metadata = {
    name: 'a',
    namespace: 'shop',
    uid: 'u-1',
    resourceVersion: '7',
    managedFields: [{ manager: 'needless' }],
    annotations: { note: 'needless' },
  };
  for (const resource of watchedResources(DEFAULT_POLICY_LIMITS)) {
    const { apiVersion } = KINDS[resource.kind];
    const kept = resource.trim({ apiVersion, kind: resource.kind, metadata } as RawObject);
    expect(JSON.stringify(kept), resource.kind).not.toContain('needless');
  }
});
