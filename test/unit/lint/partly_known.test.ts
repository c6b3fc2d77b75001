import { expect, test } from 'vitest';
import { fileOf, lintFiles } from './linting.ts';

const WEB = `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: main}]}`;

const policy = (app: string) => `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${app}, namespace: shop}
spec: {podSelector: {matchLabels: {app: ${app}}}}`;

async function idle(...apps: readonly string[]): Promise<number> {
  const { findings } = await lintFiles([fileOf([WEB, ...apps.map(policy)].join('\n'))]);
  return findings.filter(({ code }) => code === 'NP001').length;
}

test('policies that select nobody are mistakes, up to three of a namespace', async () => {
  expect(await idle('a', 'b', 'c')).toBe(3);
});

test('of more than three that are most of them, the workloads are elsewhere', async () => {
  expect(await idle('a', 'b', 'c', 'd')).toBe(0);
  expect(await idle('a', 'b', 'c', 'd', 'web')).toBe(0);
});

test('beside as many that select somebody they are mistakes', async () => {
  const others = `${WEB.replaceAll('web', 'api')}${WEB.replaceAll('web', 'db')}${WEB.replaceAll('web', 'job')}`;
  const good = ['web', 'api', 'db', 'job'].map(policy).join('\n');
  const bad = ['a', 'b', 'c', 'd'].map(policy).join('\n');
  const { findings } = await lintFiles([fileOf([WEB, others, good, bad].join('\n'))]);
  expect(findings.filter(({ code }) => code === 'NP001').map(({ object }) => object.key)).toEqual([
    'shop/a',
    'shop/b',
    'shop/c',
    'shop/d',
  ]);
});
