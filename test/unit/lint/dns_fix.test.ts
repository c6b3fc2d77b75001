import { describe, expect, test } from 'vitest';
import { RULES } from '../../../lint/index.ts';
import { fileOf, lintFiles } from './linting.ts';

const RULE =
  '{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, ' +
  'podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}';

const deploy = (name: string, labels = `app: ${name}`) => `
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: data}
spec:
  selector: {matchLabels: {${labels}}}
  template:
    metadata: {labels: {${labels}}}
    spec: {containers: [{name: main, image: main}]}`;

const policy = (name: string, podSelector: string, egress: string) => `
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${name}, namespace: data}
spec:
  podSelector: ${podSelector}
  policyTypes: [Egress]
  egress: ${egress}`;

const TO_DB = '[{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}]';

async function fixes(...texts: readonly string[]): Promise<readonly (string | undefined)[]> {
  const { findings } = await lintFiles([fileOf(texts.join('\n'))]);
  return findings.filter(({ code }) => code === 'NP008').map(({ fix }) => fix?.text);
}

describe('the fix of NP008', () => {
  test('is a rule in the policy that isolates the workload, where it selects no other', async () => {
    expect(
      await fixes(deploy('db'), deploy('backup'), policy('backup', '{matchLabels: {app: backup}}', TO_DB)),
    ).toEqual([`in spec.egress of data/backup the rule ${RULE}`]);
  });

  test('is a policy for these workloads alone, where the one that isolates them selects others', async () => {
    const allowDns = policy('dns', '{matchLabels: {app: web}}', `[${RULE}]`);
    const shared = policy('shared', '{}', TO_DB);
    expect(
      await fixes(
        deploy('db'),
        deploy('web'),
        deploy('a'),
        deploy('b'),
        shared,
        allowDns,
        policy('none', '{matchLabels: {app: db}}', '[]'),
      ),
    ).toEqual([
      'a NetworkPolicy in data with podSelector: {matchExpressions: [{key: app, operator: In, values: [a, b, db]}]}, ' +
        `policyTypes: [Egress] and egress: [${RULE}]`,
    ]);
  });

  test('goes by one label where one is enough', async () => {
    const shared = policy('shared', '{}', TO_DB);
    const allowDns = policy('dns', '{matchLabels: {app: web}}', `[${RULE}]`);
    expect(await fixes(deploy('web'), deploy('a'), shared, allowDns)).toEqual([
      `a NetworkPolicy in data with podSelector: {matchLabels: {app: a}}, policyTypes: [Egress] and egress: [${RULE}]`,
    ]);
  });

  test('names the pods and the port of the name server that is there', async () => {
    const server = `
apiVersion: v1
kind: Service
metadata: {name: dns-default, namespace: openshift-dns}
spec:
  clusterIP: 172.30.0.10
  selector: {dns: default}
  ports: [{name: dns, port: 53, protocol: UDP, targetPort: 5353}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: dns, namespace: openshift-dns}
spec:
  selector: {matchLabels: {dns: default}}
  template:
    metadata: {labels: {dns: default, more: labels}}
    spec: {containers: [{name: main, image: main}]}`;
    const [text] = await fixes(
      server,
      deploy('backup'),
      policy('backup', '{matchLabels: {app: backup}}', TO_DB),
    );
    expect(text).toContain(
      '{kubernetes.io/metadata.name: openshift-dns}}, podSelector: {matchLabels: {dns: default}}',
    );
    expect(text).toContain('[{port: 5353, protocol: UDP}, {port: 5353, protocol: TCP}]');
  });

  test('is never said to be a policy for a whole namespace', async () => {
    const all = await fixes(
      deploy('x', 'role: one'),
      deploy('y', 'role: one'),
      policy('p', '{}', TO_DB),
      policy('dns', '{matchExpressions: [{key: none, operator: Exists}]}', `[${RULE}]`),
    );
    // All that the policy isolates lacks DNS: a rule more isolates nobody else.
    expect(all).toEqual([`in spec.egress of data/p the rule ${RULE}`]);
    const { remedy } = RULES.find(({ code }) => code === 'NP008') ?? {};
    expect(remedy).not.toContain('for all pods');
    expect(remedy).toContain('these workloads alone');
  });
});
