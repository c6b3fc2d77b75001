/** Builders of manifests, and a directory to put them in for the length of one test. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Manifest, namespace, policy } from './manifests.ts';

type Labels = Readonly<Record<string, string>>;

/** What of a pod matters to the tests. */
export interface PodSettings {
  readonly labels?: Labels;
  readonly ip?: string;
  readonly ips?: readonly string[];
  readonly hostIP?: string;
  readonly hostNetwork?: boolean;
  readonly phase?: string;
  readonly ports?: readonly Manifest[];
  /** Kind and name of the controller, such as `ReplicaSet/web-5d4f8c7b9d`. */
  readonly owner?: string;
}

/** @param key `namespace/name` */
export function pod(key: string, settings: PodSettings = {}): Manifest {
  const [ns, name] = key.split('/');
  const ips = settings.ips ?? (settings.ip === undefined ? [] : [settings.ip]);
  const [ownerKind, ownerName] = settings.owner?.split('/') ?? [];
  const ownerReferences = [
    { apiVersion: 'apps/v1', kind: ownerKind, name: ownerName, uid: ownerName, controller: true },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: ns,
      name,
      labels: settings.labels ?? {},
      ...(settings.owner === undefined ? {} : { ownerReferences }),
    },
    spec: {
      ...(settings.hostNetwork === undefined ? {} : { hostNetwork: settings.hostNetwork }),
      containers: [{ name: 'app', image: 'app', ports: settings.ports ?? [] }],
    },
    status: {
      phase: settings.phase ?? 'Running',
      hostIP: settings.hostIP ?? '192.0.2.1',
      ...(ips.length === 0 ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    },
  };
}

/** @param key `namespace/name` */
export function deployment(key: string, labels: Labels, ports: readonly Manifest[] = []): Manifest {
  const [ns, name] = key.split('/');
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace: ns, name },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'app', ports }] } },
    },
  };
}

/** A fresh directory, removed when the test is over. */
export function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Writes the manifests, one file, to a fresh directory. @returns the directory */
export function manifestDirectory(...manifests: readonly Manifest[]): string {
  const dir = temporaryDirectory();
  writeFileSync(
    join(dir, 'cluster.json'),
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }),
  );
  return dir;
}

/** A shop: `api` admits pods labelled role=frontend on TCP/8080; `web` is one, `wbe` nearly; `other/client` is not. */
export function shop(...more: readonly Manifest[]): string {
  return manifestDirectory(
    namespace('shop', { team: 'books' }),
    namespace('other'),
    pod('shop/api', {
      labels: { app: 'api' },
      ips: ['10.1.0.10', 'fd00::10'],
      ports: [
        { name: 'http', containerPort: 8080 },
        { name: 'dns', containerPort: 53, protocol: 'UDP' },
      ],
    }),
    pod('shop/web', {
      labels: { app: 'web', role: 'frontend', 'pod-template-hash': '5d4f8c7b9d' },
      ip: '10.1.0.11',
      owner: 'ReplicaSet/web-5d4f8c7b9d',
    }),
    pod('shop/batch', { labels: { app: 'batch', role: 'front' }, ip: '10.1.0.12' }),
    pod('other/client', { labels: { app: 'client' }, ip: '10.1.0.13' }),
    policy('shop/api-allow', {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { role: 'frontend' } } }],
          ports: [{ port: 8080 }],
        },
      ],
    }),
    policy('shop/default-deny', { podSelector: {}, policyTypes: ['Ingress'] }),
    ...more,
  );
}
