/** The annotation `sluice.dev/path` of a namespace and of its pods, as their sidecars have it, and as the injector knows it. */
import { expect, test } from 'vitest';
import { labStatus } from '../../lab/status.ts';
import { namespace, node, pod } from '../builders/manifests.ts';
import { until, useLab } from './harness.ts';

const asks = (path: string) => ({ annotations: { 'sluice.dev/path': path } });

const net = useLab({
  objects: [
    node(1),
    namespace('shop', {}, { 'sluice.dev/path': 'auto,9090=proxy' }),
    pod('shop/none', { ips: ['10.1.1.10'] }),
    pod('shop/ports', { ips: ['10.1.1.11'], ...asks('5432=proxy,8080=direct') }),
    pod('shop/direct', { ips: ['10.1.1.12'], ...asks('direct') }),
    pod('shop/proxy', { ips: ['10.1.1.13'], ...asks('proxy') }),
  ],
});

test.each([
  ['none', 'direct, but ports 9090', 'mixed'],
  ['ports', 'direct, but ports 5432', 'mixed'],
  ['direct', 'direct', 'direct'],
  ['proxy', 'proxy', 'proxy'],
])('pod %s has the path %s, of which the injector knows: %s', async (name, path, use) => {
  const { body } = await net.admin(`shop/${name}`, '/readyz');
  expect(JSON.parse(body)).toMatchObject({ path });
  const known = async () => (await labStatus(net.lab.name)).pods.find((one) => one.pod === `shop/${name}`);
  expect(await until('its sidecar is connected', async () => (await known())?.path ?? undefined)).toBe(use);
});
