import { expect, test } from 'vitest';
import { MAX_LABEL_SETS } from '../../../lint/model/custom_resources.ts';
import { fileOf, lintFiles } from './linting.ts';

const workloadAndPolicy = (namespace: string) => `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ${namespace}}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: main}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: ${namespace}}
spec: {podSelector: {matchLabels: {app: db}}}`;

const resource = (name: string, labels: string, namespace?: string) => `
---
apiVersion: example.com/v1
kind: Database
metadata: {name: ${name}, ${namespace === undefined ? '' : `namespace: ${namespace}, `}labels: ${labels}}`;

/** The policies that are said to select nobody. */
async function idle(...resources: readonly string[]): Promise<readonly string[]> {
  const text = [workloadAndPolicy('shop'), workloadAndPolicy('bank'), ...resources].join('\n');
  const { findings } = await lintFiles([fileOf(text)]);
  return findings
    .filter(({ code }) => code === 'NP001')
    .map(({ object }) => object.key)
    .sort();
}

const many = (count: number, namespace?: string) =>
  Array.from({ length: count }, (_, at) => resource(`r${at}`, `{app: r${at}}`, namespace));

test('a custom resource with the labels keeps rules quiet, in its own namespace', async () => {
  expect(await idle()).toEqual(['bank/db', 'shop/db']);
  expect(await idle(resource('db', '{app: db, tier: data}', 'shop'))).toEqual(['bank/db']);
});

test('one without a namespace keeps them quiet in all', async () => {
  expect(await idle(resource('db', '{app: db}'))).toEqual([]);
});

test('up to the bound all sets of labels are looked at; beyond it the namespace has no findings', async () => {
  expect(await idle(...many(MAX_LABEL_SETS, 'shop'))).toEqual(['bank/db', 'shop/db']);
  expect(await idle(...many(MAX_LABEL_SETS + 1, 'shop'))).toEqual(['bank/db']);
});

test('beyond it without a namespace, none has', async () => {
  expect(await idle(...many(MAX_LABEL_SETS + 1))).toEqual([]);
});

test('the same labels in another order are one set', async () => {
  const same = Array.from({ length: MAX_LABEL_SETS + 1 }, (_, at) =>
    resource(`r${at}`, at % 2 === 0 ? '{app: r, tier: data}' : '{tier: data, app: r}', 'shop'),
  );
  expect(await idle(...same)).toEqual(['bank/db', 'shop/db']);
});
