/** Who may ask about flows, by what the manifests install. */
import { expect, test } from 'vitest';
import { helm, kustomize, one, type Rendered } from './render.ts';

const asRules = (role: Rendered) => role.rules as readonly Record<string, readonly string[]>[];

test('the account of the tokens has no rights, and its tokens are not mounted', async () => {
  const objects = await kustomize('manifests/overlays/default');
  const account = one(objects, 'ServiceAccount', 'sluice-flows');
  expect(account.automountServiceAccountToken).toBe(false);
  const bindings = objects.filter(({ kind }) => kind.endsWith('RoleBinding'));
  expect(bindings.map(({ subjects }) => JSON.stringify(subjects)).join()).not.toContain('"sluice-flows"');
});

test('who may ask gets a token of this account and one port of one Service, and nothing else', async () => {
  const role = one(await kustomize('manifests/overlays/default'), 'Role', 'sluice-flows-askers');
  expect(role.rules).toEqual([
    {
      apiGroups: [''],
      resources: ['serviceaccounts/token'],
      resourceNames: ['sluice-flows'],
      verbs: ['create'],
    },
    {
      apiGroups: [''],
      resources: ['services/proxy'],
      resourceNames: ['https:sluice-injector:operator'],
      verbs: ['create'],
    },
  ]);
});

test('the injector may ask what a user may see, and make no tokens but those of this account', async () => {
  const objects = await kustomize('manifests/overlays/default');
  const everywhere = asRules(one(objects, 'ClusterRole', 'sluice-injector'));
  const rule = everywhere.find(({ resources }) => resources?.includes('subjectaccessreviews'));
  expect(rule).toMatchObject({ apiGroups: ['authorization.k8s.io'], verbs: ['create'] });
  const own = asRules(one(objects, 'Role', 'sluice-injector'));
  const tokens = [...everywhere, ...own].filter(({ resources }) =>
    resources?.some((name) => name.endsWith('/token')),
  );
  expect(tokens).toMatchObject([{ resourceNames: ['sluice-flows'] }]);
});

test('whoever may view a namespace sees its flows, unless the chart is told otherwise', async () => {
  const label = 'rbac.authorization.k8s.io/aggregate-to-view';
  const labelsOf = async (...args: readonly string[]) =>
    one(await helm(...args), 'ClusterRole', 'sluice-flows-viewer').metadata.labels;
  expect(await labelsOf()).toMatchObject({ [label]: 'true' });
  expect(await labelsOf('--set', 'flows.viewersOfNamespaces=false')).not.toHaveProperty([label]);
});

test('the chart limits who may ask', async () => {
  const askers =
    'flows.askers[0].kind=Group,flows.askers[0].name=team,flows.askers[0].apiGroup=rbac.authorization.k8s.io';
  const binding = one(await helm('--set', askers), 'RoleBinding', 'sluice-flows-askers');
  expect(binding.subjects).toEqual([{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team' }]);
});
