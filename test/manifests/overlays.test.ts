/** Every overlay, rendered by kubectl: valid by the Kubernetes schemas, and of the rights and safeguards it promises. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { kustomize, one, type Rendered, ROOT } from './render.ts';
import { schemaFaults } from './schema.ts';

const OVERLAYS = readdirSync(join(ROOT, 'manifests/overlays'));
const rendered = new Map(OVERLAYS.map((name) => [name, kustomize(`manifests/overlays/${name}`)]));
const overlay = async (name: string) => (await rendered.get(name)) ?? [];

const CLUSTER_SCOPED = [
  'Namespace',
  'ClusterRole',
  'ClusterRoleBinding',
  'MutatingWebhookConfiguration',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionPolicyBinding',
];

describe.each(OVERLAYS)('overlay %s', (name) => {
  test('is valid by the Kubernetes schemas', async () => {
    const faults = await Promise.all((await overlay(name)).map(schemaFaults));

    expect(faults.flat()).toEqual([]);
  });

  test('puts everything into sluice-system, under one label', async () => {
    for (const { kind, metadata } of await overlay(name)) {
      expect(metadata.labels, kind).toMatchObject({ 'app.kubernetes.io/name': 'sluice' });
      expect(metadata.namespace, kind).toBe(CLUSTER_SCOPED.includes(kind) ? undefined : 'sluice-system');
    }
  });

  test('gives rights to the injector, to others only that of asking for flows, and to workloads none', async () => {
    const objects = await overlay(name);
    const isAskers = ({ metadata }: Rendered) => metadata.name === 'sluice-flows-askers';
    const all = objects.filter(({ kind }) => kind.endsWith('RoleBinding'));
    const bindings = all.filter((binding) => !isAskers(binding));
    expect(all.filter(isAskers).map(({ kind, subjects }) => [kind, subjects])).toEqual([
      [
        'RoleBinding',
        [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:authenticated' }],
      ],
    ]);

    expect(bindings).toHaveLength(2);
    for (const { subjects } of bindings)
      expect(subjects).toEqual([
        { kind: 'ServiceAccount', name: 'sluice-injector', namespace: 'sluice-system' },
      ]);
  });

  test('grants no wildcard, and writes to named objects only where the API can tell them', async () => {
    const roles = (await overlay(name)).filter(({ kind }) => kind.endsWith('Role'));
    for (const { rules } of roles) {
      for (const rule of rules as readonly Record<string, readonly string[]>[]) {
        expect(JSON.stringify(rule)).not.toContain('*');
        const writes = (rule.verbs ?? []).filter(
          (verb) => !['get', 'list', 'watch', 'create'].includes(verb),
        );
        if (writes.length > 0 && !rule.resources?.includes('networkpolicies'))
          expect(rule.resourceNames, JSON.stringify(rule)).toHaveLength(1);
        if (rule.resources?.includes('secrets')) expect(rule.verbs).not.toContain('list');
      }
    }
  });

  test('runs the injector without any right on its node', async () => {
    const pod = podOf(one(await overlay(name), 'Deployment'));

    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const container of pod.containers)
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
  });

  test('refuses pods rather than letting them run unenforced', async () => {
    const [webhook] = one(await overlay(name), 'MutatingWebhookConfiguration').webhooks as readonly Webhook[];

    expect(webhook).toMatchObject({
      failurePolicy: 'Fail',
      reinvocationPolicy: 'IfNeeded',
      timeoutSeconds: 5,
    });
    expect(webhook?.namespaceSelector).toEqual({
      matchLabels: { 'sluice.dev/inject': 'enabled' },
      matchExpressions: [
        {
          key: 'kubernetes.io/metadata.name',
          operator: 'NotIn',
          values: ['kube-system', 'sluice-system'],
        },
      ],
    });
  });

  test('sends webhook calls and sidecars to ports that the injector has', async () => {
    const objects = await overlay(name);
    const ports = podOf(one(objects, 'Deployment')).containers.flatMap((container) => container.ports);
    const named = new Set(ports.map((port) => port.name));
    const service = one(objects, 'Service').spec as { ports: { targetPort: string; port: number }[] };
    const { ingress } = one(objects, 'NetworkPolicy').spec as {
      ingress: { from?: object[]; ports: { port: string }[] }[];
    };

    for (const { targetPort } of service.ports) expect(named).toContain(targetPort);
    expect(new Set(ingress.flatMap(({ ports }) => ports.map(({ port }) => port)))).toEqual(named);
    const open = ingress.filter(({ from }) => from === undefined).flatMap(({ ports }) => ports);
    expect(open.map(({ port }) => port)).toEqual(service.ports.map(({ targetPort }) => targetPort));
    const [webhook] = one(objects, 'MutatingWebhookConfiguration').webhooks as readonly Webhook[];
    expect(service.ports.map(({ port }) => port)).toContain(webhook?.clientConfig.service.port);
  });
});

test.each(OVERLAYS.filter((name) => name !== 'classic'))(
  'the admission policies of %s fail closed and deny, where the webhook injects',
  async (name) => {
    const objects = await overlay(name);
    const [webhook] = one(objects, 'MutatingWebhookConfiguration').webhooks as readonly Webhook[];
    const policies = objects.filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
    expect(policies).toHaveLength(6);
    for (const policy of policies) {
      expect(policy.spec).toMatchObject({ failurePolicy: 'Fail' });
      const { spec } = one(objects, 'ValidatingAdmissionPolicyBinding', policy.metadata.name);
      expect(spec).toEqual({ policyName: policy.metadata.name, validationActions: ['Deny', 'Audit'] });
      const { matchConstraints } = policy.spec as { matchConstraints: Pick<Webhook, 'namespaceSelector'> };
      const everywhere = ['sluice-injector-account', 'sluice-flows-askers'].includes(policy.metadata.name);
      expect(matchConstraints.namespaceSelector).toEqual(everywhere ? undefined : webhook?.namespaceSelector);
    }
  },
);

test('a misspelt field, a wrong type and a missing field are found', async () => {
  const deployment = one(await overlay('default'), 'Deployment');
  const broken = { ...deployment, spek: {}, spec: { template: {}, replicas: 'two' } };

  const faults = (await schemaFaults(broken)).join('\n');
  for (const fault of ['spek: unknown field', 'spec.replicas', 'selector']) expect(faults).toContain(fault);
});

test('high-availability has two injectors apart, of which one at a time may go', async () => {
  const objects = await overlay('high-availability');
  const deployment = one(objects, 'Deployment');

  expect(deployment.spec).toMatchObject({ replicas: 2 });
  // A pod that a drain evicts does not join the other for good: one waits until there is a node without an injector.
  expect(podOf(deployment).topologySpreadConstraints).toMatchObject([
    {
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
      matchLabelKeys: ['pod-template-hash'],
    },
    { topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' },
  ]);
  expect(one(objects, 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 });
});

test('classic asks for nothing that Kubernetes 1.27 does not have', async () => {
  const objects = await overlay('classic');

  expect(objects.filter(({ kind }) => kind.startsWith('ValidatingAdmission'))).toEqual([]);
  expect(podOf(one(objects, 'Deployment')).containers[0]?.env).toContainEqual({
    name: 'SLUICE_SIDECAR_MODE',
    value: 'classic',
  });
});

interface Webhook {
  readonly namespaceSelector: unknown;
  readonly clientConfig: { readonly service: { readonly port: number } };
}

interface PodTemplate {
  readonly securityContext: unknown;
  readonly topologySpreadConstraints?: readonly unknown[];
  readonly containers: readonly {
    readonly securityContext: unknown;
    readonly ports: readonly { readonly name: string }[];
    readonly env: readonly unknown[];
  }[];
}

function podOf(deployment: Rendered): PodTemplate {
  return (deployment.spec as { template: { spec: PodTemplate } }).template.spec;
}
