import { expect, test } from 'vitest';
import { mendFiles } from '../../../lint/index.ts';
import { fileOf, lintFiles } from './linting.ts';

const deploy = (namespace: string, name: string, ports = '') => `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {containers: [{name: main, image: main, ports: [${ports}]}]}`;

const policy = (name: string, app: string, ingress: string) => `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${name}, namespace: shop}
spec:
  podSelector: ${app === '' ? '{}' : `{matchLabels: {app: ${app}}}`}
  policyTypes: [Ingress]
  ingress: ${ingress}`;

async function found(code: string, ...texts: readonly string[]) {
  const file = fileOf(texts.join('\n'));
  const { findings, manifests } = await lintFiles([file]);
  return {
    findings: findings.filter((finding) => finding.code === code),
    mended: mendFiles(findings, manifests.files)[0]?.text ?? '',
  };
}

test('pods with the label in another namespace are named, by a policy in the wrong one', async () => {
  const { findings, mended } = await found(
    'NP001',
    deploy('shop', 'cart'),
    deploy('backend', 'mails'),
    policy('mails', 'mails', '[{from: [{podSelector: {}}]}]'),
  );
  expect(findings.map(({ message, fix }) => [message, fix?.text])).toEqual([
    [
      'shop/mails: selects no pod; no pod in namespace shop has app=mails; backend has deploy/mails',
      'metadata.namespace: backend',
    ],
  ]);
  expect(mended).toBe('');
});

test('a policy in the wrong namespace is one finding, whose peers are not others', async () => {
  const { findings } = await found(
    'NP002',
    deploy('shop', 'cart'),
    deploy('backend', 'mails'),
    deploy('backend', 'orders'),
    policy('mails', 'mails', '[{from: [{podSelector: {matchLabels: {app: orders}}}]}]'),
  );
  expect(findings).toEqual([]);
});

test('and by a peer without a namespaceSelector', async () => {
  const { findings } = await found(
    'NP002',
    deploy('shop', 'cart'),
    deploy('backend', 'orders'),
    deploy('data', 'db'),
    policy('cart', 'cart', '[{from: [{podSelector: {matchLabels: {app: orders}}}]}]'),
  );
  expect(findings.map(({ message, fix }) => [message, fix?.text])).toEqual([
    [
      'shop/cart: no pod in namespace shop has app=orders; backend has deploy/orders',
      'namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: backend}} in the same entry',
    ],
  ]);
});

test('where it may be one of two namespaces there is no fix', async () => {
  const { findings } = await found(
    'NP002',
    deploy('shop', 'cart'),
    deploy('backend', 'orders'),
    deploy('data', 'orders'),
    policy('cart', 'cart', '[{from: [{podSelector: {matchLabels: {app: orders}}}]}]'),
  );
  expect(findings.map(({ message, fix }) => [message, fix?.text])).toEqual([
    [
      'shop/cart: no pod in namespace shop has app=orders; backend has deploy/orders, data has deploy/orders',
      undefined,
    ],
  ]);
});

const HTTPS = '{name: https, containerPort: 8443}, {name: mgmt, containerPort: 8081}';
const FROM_ALL = (...ports: readonly string[]) =>
  `[{from: [{podSelector: {}}], ports: [${ports.map((port) => `{port: ${port}}`).join(', ')}]}]`;
const SERVICE = `
---
apiVersion: v1
kind: Service
metadata: {name: pay, namespace: shop}
spec: {selector: {app: pay}, ports: [{name: https, port: 443, targetPort: https}]}`;

test('NP005: the name that the Service leads to is the fix', async () => {
  const { findings, mended } = await found(
    'NP005',
    deploy('shop', 'pay', HTTPS),
    SERVICE,
    policy('pay', 'pay', FROM_ALL('tls')),
  );
  expect(findings.map(({ fix }) => fix?.text)).toEqual(['port: https']);
  expect(mended).toContain('ports: [{port: https}]');
});

test('NP005: the only name is offered, and no file is changed', async () => {
  const one = await found(
    'NP005',
    deploy('shop', 'pay', '{name: https, containerPort: 8443}'),
    policy('pay', 'pay', FROM_ALL('tls')),
  );
  expect(one.findings.map(({ fix }) => fix?.text)).toEqual(['port: https']);
  expect(one.mended).toBe('');
  const two = await found('NP005', deploy('shop', 'pay', HTTPS), policy('pay', 'pay', FROM_ALL('tls')));
  expect(two.findings.map(({ fix }) => fix?.text)).toEqual([undefined]);
});

test('NP005: two names in a rule for all, of which each pod has one, are no finding', async () => {
  const both = policy('scrape', '', FROM_ALL('metrics', 'mgmt'));
  const [cart, pay] = [
    deploy('shop', 'cart', '{name: metrics, containerPort: 9102}'),
    deploy('shop', 'pay', HTTPS),
  ];
  expect((await found('NP005', cart, pay, both)).findings).toEqual([]);
  const neither = await found(
    'NP005',
    cart,
    pay,
    deploy('shop', 'web', '{name: http, containerPort: 80}'),
    both,
  );
  expect(neither.findings.map(({ severity }) => severity)).toEqual(['info', 'info']);
});
