import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createPlaces, describePlace, type FieldPath, readManifests } from '../../../sources/index.ts';
import { temporaryDirectory } from '../../builders/cli_manifests.ts';

const POLICIES = `# a comment
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: a, namespace: shop}
spec:
  podSelector:
    matchLabels:
      app: web
  ingress:
  - from:
    - podSelector: {matchLabels: {app: chekout}}
    ports:
    - port: 80
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: shop}
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata:
    name: b
    namespace: shop
  spec:
    podSelector: {}
`;

async function placesIn(name: string, text: string) {
  const file = join(temporaryDirectory(), name);
  writeFileSync(file, text);
  const manifests = await readManifests([file]);
  const places = createPlaces(manifests.files);
  return (key: string, ...path: FieldPath) => {
    const object = manifests.objects.find((each) => each.key === key);
    const place = object && places.find(object, path);
    return place && describePlace(place).slice(file.length + 1);
  };
}

test('a scalar, a key and an item of a list have line and column of their file', async () => {
  const at = await placesIn('policies.yaml', POLICIES);
  expect(at('shop/a', 'spec', 'ingress', 0, 'from', 0, 'podSelector', 'matchLabels', 'app')).toBe('12:40');
  expect(at('shop/a', 'spec', 'podSelector')).toBe('7:3');
  expect(at('shop/a', 'spec', 'ingress', 0, 'ports', 0)).toBe('14:7');
  expect(at('shop/a', 'spec', 'ingress', 0, 'ports', 0, 'port')).toBe('14:13');
});

test('an object of a list stands where its item does', async () => {
  const at = await placesIn('policies.yaml', POLICIES);
  expect(at('shop/b', 'metadata', 'name')).toBe('25:11');
});

test('for what is not there the field around it is named', async () => {
  const at = await placesIn('policies.yaml', POLICIES);
  expect(at('shop/a', 'spec', 'egress', 0)).toBe('6:1');
});

test('JSON has places too', async () => {
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
  const at = await placesIn('cluster.json', JSON.stringify(object, null, 2));
  expect(at('shop', 'metadata', 'name')).toBe('5:13');
});
