/** Tables name the addresses at which the injector takes connections: none of them is for apps. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pod } from '../../../builders/injector_manifests.ts';
import { RunningInjector } from '../running_injector.ts';
import { waitFor } from '../wait_for.ts';

let injector: RunningInjector;

beforeEach(() => {
  injector = new RunningInjector();
  injector.dir.write('pods.yaml', pod('web', '10.0.0.1'));
});
afterEach(() => injector.close());

const metadata = { namespace: 'sluice-system', name: 'sluice-injector' };
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata,
  spec: { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'], ports: [{ name: 'tables', port: 15010 }] },
};
const endpoints = (...addresses: string[]) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    ...metadata,
    name: 'sluice-injector-a',
    labels: { 'kubernetes.io/service-name': 'sluice-injector' },
  },
  addressType: 'IPv4',
  endpoints: addresses.map((address) => ({ addresses: [address] })),
  ports: [{ name: 'tables', port: 15010, protocol: 'TCP' }],
});

test('of its Service, and of the pods behind it as they come and go', async () => {
  injector.dir.write('service.yaml', service, endpoints('10.0.9.1'));
  await injector.start({ injectorService: 'sluice-system/sluice-injector' });
  const web = await injector.sidecar('shop/web');
  expect(web.table?.subject.injectors).toEqual([
    { address: '10.0.9.1', port: 15010 },
    { address: '10.96.0.9', port: 15010 },
  ]);
  injector.dir.replace('service.yaml', service, endpoints('10.0.9.2'));
  await waitFor(() => web.table?.subject.injectors?.[0]?.address === '10.0.9.2');
  expect(web.types).toEqual(['snapshot', 'change']);
  expect(web.table?.subject.injectors).toHaveLength(2);
});

test('none where it is not reached over the network', async () => {
  injector.dir.write('service.yaml', service, endpoints('10.0.9.1'));
  await injector.start();
  const web = await injector.sidecar('shop/web');
  expect(web.table?.subject).not.toHaveProperty('injectors');
});
