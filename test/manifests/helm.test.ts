/** The chart: equal to the overlays, checked by its schema, and documented. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { helm, kustomize, one, type Rendered, ROOT, tool } from './render.ts';
import { schemaFaults } from './schema.ts';

const CHART = 'manifests/helm/sluice';
const read = (name: string) => readFileSync(join(ROOT, CHART, name), 'utf8');

/** Labels that Helm wants on what it owns. */
const OF_HELM = ['app.kubernetes.io/managed-by', 'helm.sh/chart'];

/** By kind and name, without Helm's labels. The namespace is not the chart's: `helm install --create-namespace`. */
function comparable(objects: readonly Rendered[]): Record<string, unknown> {
  return Object.fromEntries(
    objects
      .filter(({ kind }) => kind !== 'Namespace')
      .map((object) => {
        const labels = Object.entries(object.metadata.labels ?? {}).filter(([key]) => !OF_HELM.includes(key));
        const metadata = { ...object.metadata, labels: Object.fromEntries(labels) };
        return [`${object.kind} ${object.metadata.name}`, inOrder({ ...object, metadata })];
      }),
  );
}

/** A patch of an overlay may move a variable within `env`. */
function inOrder(object: Rendered): unknown {
  const copy = structuredClone(object) as never as { spec?: { template?: { spec: PodSpec } } };
  for (const { env } of copy.spec?.template?.spec.containers ?? [])
    env.sort((a, b) => a.name.localeCompare(b.name));
  return copy;
}

test.each([
  ['default', []],
  ['high-availability', ['--set', 'replicas=2']],
  ['classic', ['--set', 'sidecar.mode=classic,admissionPolicies=false']],
])('is the overlay %s with %j', async (overlay, args) => {
  const chart = comparable(await helm(...args));

  expect(chart).toEqual(comparable(await kustomize(`manifests/overlays/${overlay}`)));
});

test('every value arrives, and what comes out is valid by the Kubernetes schemas', async () => {
  const objects = await helm(
    '--set',
    [
      'image.repository=registry.example/sluice',
      'image.tag=v9',
      'image.pullPolicy=Always',
      'image.pullSecrets[0].name=pull',
      'replicas=3',
      'injector.logLevel=debug',
      'injector.nodeSelector.zone=a',
      'injector.tolerations[0].operator=Exists',
      'injector.priorityClassName=high',
      'injector.resources.limits.memory=2Gi',
      'sidecar.iptables=legacy',
      'sidecar.logLevel=warn',
      'sidecar.flowLog=all',
      'sidecar.resources.requests.cpu=20m',
      'sidecar.resources.limits.cpu=1',
      'sidecar.resources.requests.memory=65Mi',
      'sidecar.resources.limits.memory=99Mi',
    ].join(','),
  );
  expect((await Promise.all(objects.map(schemaFaults))).flat()).toEqual([]);
  const { spec } = one(objects, 'Deployment') as never as {
    spec: { template: { spec: PodSpec }; replicas: number };
  };
  const pod = spec.template.spec;
  const [container] = pod.containers;
  expect(spec.replicas).toBe(3);
  expect(pod).toMatchObject({
    imagePullSecrets: [{ name: 'pull' }],
    nodeSelector: { zone: 'a' },
    tolerations: [{ operator: 'Exists' }],
    priorityClassName: 'high',
  });
  expect(container).toMatchObject({
    image: 'registry.example/sluice:v9',
    imagePullPolicy: 'Always',
    resources: { limits: { memory: '2Gi' } },
  });
  const env = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
  expect(env).toMatchObject({
    SLUICE_LOG_LEVEL: 'debug',
    SLUICE_SIDECAR_IMAGE: 'registry.example/sluice:v9',
    SLUICE_SIDECAR_IMAGE_PULL_POLICY: 'Always',
    SLUICE_SIDECAR_IPTABLES: 'legacy',
    SLUICE_SIDECAR_LOG_LEVEL: 'warn',
    SLUICE_SIDECAR_FLOW_LOG: 'all',
    SLUICE_SIDECAR_CPU_REQUEST: '20m',
    SLUICE_SIDECAR_CPU_LIMIT: '1',
    SLUICE_SIDECAR_MEMORY_REQUEST: '65Mi',
    SLUICE_SIDECAR_MEMORY_LIMIT: '99Mi',
  });
});

test('another namespace is meant everywhere', async () => {
  expect(JSON.stringify(await helm('--namespace', 'elsewhere'))).not.toContain('sluice-system');
});

describe('the schema of the values', () => {
  test.each([
    ['replicas=0', 'replicas'],
    ['sidecar.mode=ambient', 'mode'],
    ['sidecar.resources.limits.memory=much', 'memory'],
    ['image.repositry=x', 'repositry'],
    ['admissionPolicies=maybe', 'admissionPolicies'],
  ])('refuses %s', async (value, named) => {
    await expect(helm('--set', value)).rejects.toThrow(new RegExp(`schema[^]*${named}`));
  });
});

test('every value has a comment above it', () => {
  const lines = read('values.yaml').split('\n');
  const bare = lines.filter(
    (line, index) => /^( {2})?\w+: ?\S|^ {2}\w+:$/.test(line) && !/^ *#/.test(lines[index - 1] ?? ''),
  );

  expect(bare).toEqual([]);
});

test('the chart is of the version of the project, and helm lint has nothing to say', async () => {
  const chart = parse(read('Chart.yaml')) as { version: string; appVersion: string };

  expect([chart.version, chart.appVersion]).toEqual([manifest.version, manifest.version]);
  expect(await tool('helm', 'lint', '--strict', CHART)).toContain('0 chart(s) failed');
});

interface PodSpec {
  readonly containers: readonly {
    readonly env: { readonly name: string; readonly value?: string }[];
  }[];
}
