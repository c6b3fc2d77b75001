/** Fixes of `can` put the right value in place of one that nobody has. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

const namespace = (name: string, more = '') => `
---
apiVersion: v1
kind: Namespace
metadata: {name: ${name}, labels: {${more}}}`;

const deploy = (space: string, name: string, ports = '') => `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${space}}
spec: {template: {metadata: {labels: {app: ${name}}}, spec: {containers: [{name: a, image: b, ports: [${ports}]}]}}}`;

const WORLD = [
  namespace('shop'),
  namespace('data'),
  namespace('monitoring', 'example.com/purpose: monitoring'),
  deploy('shop', 'web'),
  deploy('shop', 'cart'),
  deploy('shop', 'pay', '{name: https, containerPort: 8443}, {name: mgmt, containerPort: 8081}'),
  deploy('data', 'db', '{name: pg, containerPort: 5432}'),
  deploy('data', 'backup'),
  deploy('monitoring', 'prometheus'),
].join('');

async function fix(question: readonly string[], app: string, spec: string, space = 'shop'): Promise<unknown> {
  const dir = temporaryDirectory();
  const policy = `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: ${space}}
spec: {podSelector: {matchLabels: {app: ${app}}}, ${spec}}
`;
  writeFileSync(join(dir, 'all.yaml'), `${WORLD}${policy}`);
  const { stdout } = await runSluice(['can', ...question, '-f', dir, '-o', 'json']);
  const { near } = JSON.parse(stdout) as { readonly near: readonly { readonly fix?: string }[] };
  return parse(near[0]?.fix ?? 'null');
}

test('the name of a port that no pod has', async () => {
  const spec =
    'ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{protocol: TCP, port: tls}]}]';
  expect(await fix(['shop/web', 'shop/pay', '8443'], 'pay', spec)).toEqual([
    { from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ protocol: 'TCP', port: 'https' }] },
  ]);
});

test('a port that somebody has stays, and one is added', async () => {
  const spec = 'ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: mgmt}]}]';
  expect(await fix(['shop/web', 'shop/pay', '8443'], 'pay', spec)).toEqual([
    {
      from: [{ podSelector: { matchLabels: { app: 'web' } } }],
      ports: [{ port: 'mgmt' }, { port: 'https' }],
    },
  ]);
});

test('the value of a label, in a list of them', async () => {
  const spec =
    'ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [web, basket]}]}}]}]';
  expect(await fix(['shop/cart', 'shop/pay', '8443'], 'pay', spec)).toEqual([
    {
      from: [
        { podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web', 'cart'] }] } },
      ],
    },
  ]);
});

test('the value of a label', async () => {
  const spec = 'ingress: [{from: [{podSelector: {matchLabels: {app: basket}}}]}]';
  expect(await fix(['shop/cart', 'shop/pay', '8443'], 'pay', spec)).toEqual([
    { from: [{ podSelector: { matchLabels: { app: 'cart' } } }] },
  ]);
});

test('a namespace that is not there', async () => {
  const to =
    '{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: database}}, podSelector: {matchLabels: {app: db}}}';
  const spec = `policyTypes: [Egress], egress: [{to: [${to}], ports: [{port: 5432}]}]`;
  expect(await fix(['shop/pay', 'data/db', '5432'], 'pay', spec)).toEqual([
    {
      to: [
        {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'data' } },
          podSelector: { matchLabels: { app: 'db' } },
        },
      ],
      ports: [{ port: 5432 }],
    },
  ]);
});

test('a podSelector that means nobody of the own namespace gets the other one', async () => {
  const spec = 'ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]';
  expect(await fix(['shop/web', 'data/db', '5432'], 'db', spec, 'data')).toEqual([
    {
      from: [
        {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } },
          podSelector: { matchLabels: { app: 'web' } },
        },
      ],
    },
  ]);
});

test('of two labels with the value, the name of the namespace is meant', async () => {
  const spec = 'ingress: [{from: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}]';
  expect(await fix(['monitoring/prometheus', 'shop/pay', '8081'], 'pay', spec)).toEqual([
    { from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }] },
  ]);
});
