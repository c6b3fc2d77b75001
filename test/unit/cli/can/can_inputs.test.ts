/** Manifests as they come: without namespaces, with workloads in the place of pods, with policies of other APIs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { manifestDirectory, pod, temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

type Manifest = Readonly<Record<string, unknown>>;

const TEMPLATE = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'c', image: 'x' }] } };

/** A workload in namespace `t`. */
function workload(kind: string, name: string, spec: Manifest = { template: TEMPLATE }): Manifest {
  const apiVersion = kind === 'ReplicationController' ? 'v1' : kind.endsWith('Job') ? 'batch/v1' : 'apps/v1';
  return { apiVersion, kind, metadata: { name, namespace: 't' }, spec };
}

/** A policy that isolates what is labelled so, and admits nothing. */
function deny(name: string, labels: Readonly<Record<string, string>>, type: string): Manifest {
  return policy(`t/${name}`, { podSelector: { matchLabels: labels }, policyTypes: [type] });
}

test('-n is the namespace of objects without one, as in kubectl', async () => {
  const dir = temporaryDirectory();
  writeFileSync(
    join(dir, 'chart.yaml'),
    'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny-all}\nspec: {podSelector: {}}\n',
  );
  const pods = manifestDirectory(pod('t/db', { ip: '10.1.0.1' }), pod('t/bad', { ip: '10.1.0.2' }));
  const denied = await runSluice(['can', 'bad', 'db', '80', '-n', 't', '-f', dir, pods]);
  expect(denied.stdout).toMatch(/^denied: t\/bad -> t\/db TCP\/80 \(ingress: isolated by t\/deny-all\)/);
  const wrong = await runSluice(['can', 'bad', 'db', '80', '-n', 'T!', '-f', dir, pods]);
  expect(wrong.stderr).toBe('sluice: -n is "T!", which no namespace can be called\n');
  expect(wrong.code).toBe(2);
});

test('policies of other APIs are named up to a number, and counted', async () => {
  const foreign = Array.from({ length: 12 }, (_, index) => ({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNetworkPolicy',
    metadata: { name: `d${index}`, namespace: 't' },
  }));
  const dir = manifestDirectory(pod('t/a', { ip: '10.1.0.1' }), pod('t/b', { ip: '10.1.0.2' }), ...foreign);
  const { code, stderr } = await runSluice(['can', 't/a', 't/b', '80', '-f', dir]);
  const lines = stderr.trimEnd().split('\n');
  expect(lines).toHaveLength(11);
  expect(lines[0]).toMatch(/CiliumNetworkPolicy t\/d0, .*: this policy is not considered$/);
  expect(lines[10]).toBe(
    'sluice: warning: 12 policies are not considered: only NetworkPolicies of networking.k8s.io/v1 count here',
  );
  expect(code).toBe(0);
  const check = await runSluice(['check', '-n', 't', '-f', dir]);
  expect(check.stdout).toContain('warning  CK501  manifests: 12 policies are not considered');
});

describe('a pod made from a template has the labels that its controller adds', () => {
  const HASHED = { matchExpressions: [{ key: 'pod-template-hash', operator: 'Exists' }] };
  const dir = () =>
    manifestDirectory(
      workload('Job', 'mig'),
      workload('Job', 'parts', { completionMode: 'Indexed', template: TEMPLATE }),
      workload('CronJob', 'backup', { schedule: '* * * * *', jobTemplate: { spec: { template: TEMPLATE } } }),
      workload('StatefulSet', 'db', { ordinals: { start: 5 }, template: TEMPLATE }),
      workload('ReplicationController', 'old'),
      workload('Deployment', 'web'),
      deny('migration', { 'job-name': 'mig' }, 'Egress'),
      deny('first-part', { 'batch.kubernetes.io/job-completion-index': '0' }, 'Egress'),
      policy('t/jobs', {
        podSelector: { matchExpressions: [{ key: 'batch.kubernetes.io/job-name', operator: 'Exists' }] },
        policyTypes: ['Ingress'],
      }),
      deny('replica', { 'statefulset.kubernetes.io/pod-name': 'db-5' }, 'Ingress'),
      policy('t/hashed', { podSelector: HASHED, policyTypes: ['Ingress'] }),
    );
  const AWAY = '198.51.100.1';

  test.each([
    ['a Job, by its name', ['t/job/mig', AWAY], 'denied: t/job/mig (template)'],
    ['an indexed Job, by its index', ['t/job/parts', AWAY], 'denied: t/job/parts (template)'],
    ['a CronJob, by its Job', [AWAY, 't/cronjob/backup'], 'denied: '],
    ['a StatefulSet, by its ordinal', [AWAY, 't/sts/db'], `denied: ${AWAY} -> t/db-5`],
    [
      'a StatefulSet, another replica',
      ['t/sts/db', 't/sts/db'],
      'allowed: t/db-5 (template) -> t/db-6 (template)',
    ],
    ['a Deployment, by its hash', [AWAY, 't/deploy/web'], `denied: ${AWAY} -> t/deploy/web (template)`],
    ['a ReplicationController, which adds none', [AWAY, 't/rc/old'], 'allowed: '],
  ])('%s', async (_, question, answer) => {
    const { stdout, stderr } = await runSluice(['can', ...question, '80', '-f', dir()]);
    expect(stderr).not.toContain('sluice: the');
    expect(stdout).toContain(answer);
  });
});
