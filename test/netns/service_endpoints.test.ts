/** What a lab makes of Services before any packet flows: derived endpoints, addresses, warnings. */

import { rmSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { layOut } from '../../lab/network/topology.ts';
import { readForLab } from '../../lab/objects/store.ts';
import { clusterOf } from '../../sources/cluster_merge.ts';
import { deriveEndpoints } from '../../sources/derived_endpoints.ts';
import { readDocument } from '../../sources/objects/document.ts';
import type { DocumentObject } from '../../sources/objects/document_content.ts';
import { endpointSlice, type Manifest, pod, service } from '../builders/manifests.ts';
import { writeManifests } from './harness.ts';

const APP = { labels: { app: 'web' } };

function read(...manifests: readonly Manifest[]): DocumentObject[] {
  return manifests.flatMap((manifest) => readDocument(JSON.stringify(manifest), 1).objects);
}

/** Derived endpoints as `service family ports: addresses`. */
function derived(...manifests: readonly Manifest[]): string[] {
  const { endpointSlices } = clusterOf(deriveEndpoints(read(...manifests)));
  return [...endpointSlices.values()]
    .map(({ service: name, ports, endpoints }) => {
      const targets = ports.map((port) => `${port.name ?? ''}=${port.protocol}/${port.port}`).join(' ');
      const all = endpoints.map(
        ({ addresses, ready }) => `${addresses.join()}${ready ? '' : ' (not ready)'}`,
      );
      return `${name} ${targets}: ${all.join(', ')}`;
    })
    .sort();
}

test('endpoints are the pods of the namespace that the selector means, by family', () => {
  expect(
    derived(
      service('a/web', { ips: ['10.96.0.1', 'fd00:96::1'], ports: ['80:8080', 'UDP/53'], app: 'web' }),
      pod('a/one', { ips: ['10.1.0.1', 'fd00::1'], ...APP }),
      pod('a/two', { ips: ['10.1.0.2'], ...APP }),
      pod('a/starting', { ips: ['10.1.0.3'], phase: 'Pending', ...APP }),
      pod('a/done', { ips: ['10.1.0.4'], phase: 'Succeeded', ...APP }),
      pod('a/other', { ips: ['10.1.0.5'] }),
      pod('b/web', { ips: ['10.1.0.6'], ...APP }),
    ),
  ).toEqual([
    'web p0=TCP/8080 p1=UDP/53: 10.1.0.1, 10.1.0.2, 10.1.0.3 (not ready)',
    'web p0=TCP/8080 p1=UDP/53: fd00::1',
  ]);
});

test('a named target port is what each pod declares by that name and protocol', () => {
  expect(
    derived(
      service('a/web', { ips: ['10.96.0.1'], ports: ['80:http'], app: 'web' }),
      pod('a/one', { ips: ['10.1.0.1'], ports: ['http=TCP/8080'], ...APP }),
      pod('a/two', { ips: ['10.1.0.2'], ports: ['http=TCP/8081'], ...APP }),
      pod('a/three', { ips: ['10.1.0.3'], ports: ['http=UDP/8081'], ...APP }),
    ),
  ).toEqual(['web : 10.1.0.3', 'web =TCP/8080: 10.1.0.1', 'web =TCP/8081: 10.1.0.2']);
});

test('nothing is derived for a Service that has a slice, no selector or no address', () => {
  expect(
    derived(
      service('a/listed', { ips: ['10.96.0.1'], app: 'web' }),
      endpointSlice('a/listed-1', 'listed', ['10.1.0.9']),
      service('a/elsewhere', { ips: ['10.96.0.2'] }),
      service('a/headless', { ips: ['None'], app: 'web' }),
      pod('a/one', { ips: ['10.1.0.1'], ...APP }),
    ),
  ).toEqual([]);
});

test('deriving again changes nothing, whatever was derived before', () => {
  const objects = read(
    service('a/web', { ips: ['10.96.0.1'], app: 'web' }),
    pod('a/one', { ips: ['10.1.0.1'], ...APP }),
  );
  const first = deriveEndpoints(objects);
  expect(first).toHaveLength(1);
  expect(deriveEndpoints([...objects, ...first])).toEqual(first);
});

test('an address of a Service belongs to nobody else', () => {
  const claimed = (...manifests: readonly Manifest[]) =>
    layOut('x', clusterOf(read(...manifests)), undefined);
  const conflict = expect.objectContaining({ code: 'LAB_ADDRESS_CONFLICT' });
  const web = service('a/web', { ips: ['10.96.0.1'] });
  expect(() => claimed(web, service('a/api', { ips: ['10.96.0.1'] }))).toThrow(conflict);
  expect(() => claimed(web, pod('a/x', { ips: ['10.96.0.1'] }))).toThrow(conflict);
  expect(claimed(web, service('a/sip', { ips: ['203.0.113.1'] })).outside.addresses).not.toContain(
    '203.0.113.1',
  );
});

test('a Service that waits for an address is named, one that wants none is not', async () => {
  const folder = writeManifests([
    service('a/waits', { ips: [] }),
    service('a/headless', { ips: ['None'] }),
    service('a/name', { ips: [], more: { type: 'ExternalName', externalName: 'example.com' } }),
  ]);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const warnings: string[] = [];
  await readForLab([folder], (line) => warnings.push(line));
  expect(warnings).toEqual([
    'Service a/waits has no spec.clusterIP: give it one, or the lab serves it nowhere',
  ]);
});
