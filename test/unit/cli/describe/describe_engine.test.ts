/** Random clusters: what a description says is what the engine says, rule by rule. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { describePods } from '../../../../cli/describe/of_pods.ts';
import { createModel, dnsOf } from '../../../../lint/index.ts';
import {
  addressOwners,
  createEvaluator,
  type Direction,
  objectKey,
  type Pod,
  type Protocol,
} from '../../../../policy/index.ts';
import { createPlaces, manifestsOf, readManifestBytes } from '../../../../sources/index.ts';
import type { ApiCluster } from '../../../builders/api_objects.ts';
import { scenario } from '../../../builders/random_cluster.ts';
import { admittedBy } from './admitted_by.ts';

const TIMEOUT_MS = 120_000;

function readObjects(objects: ApiCluster) {
  const of = (kind: string, list: readonly object[] = []) =>
    list.map((one) => ({ apiVersion: 'v1', kind, ...one }));
  const items = [
    ...of('Namespace', objects.namespaces),
    ...of('Pod', objects.pods),
    ...of('NetworkPolicy', objects.policies),
    ...of('Node', objects.nodes),
  ];
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  return manifestsOf([readManifestBytes('random.json', Buffer.from(text))]);
}

test('rules, peers of now and ports of a description admit what the engine admits', {
  timeout: TIMEOUT_MS,
}, () => {
  let compared = 0;
  fc.assert(
    fc.property(scenario, ({ objects, flows }) => {
      const manifests = readObjects(objects);
      const { cluster } = manifests;
      const places = createPlaces([]);
      const model = createModel({ manifests, places, extent: 'cluster', now: 0, namespaceGiven: true });
      const subjects = new Map(
        model.subjects.map((subject) => [objectKey(subject.pod.namespace, subject.pod.name), subject]),
      );
      const context = { model, subjects, dns: dnsOf(model), inForce: { known: false, reason: '' } as const };
      const owners = addressOwners(cluster);
      const evaluator = createEvaluator(cluster);

      const expectSame = (direction: Direction, flow: (typeof flows)[number]) => {
        const protocol = flow.protocol as Protocol;
        const verdict = evaluator.evaluate({
          source: { kind: 'address', address: flow.source },
          destination: { kind: 'address', address: flow.destination },
          protocol,
          port: flow.port,
        })[direction];
        const [at, from] =
          direction === 'ingress' ? [flow.destination, flow.source] : [flow.source, flow.destination];
        const [pod, peer] = [owners.get(at), owners.get(from)];
        // What no policy decides, no description tells.
        if (pod === undefined || !['rule', 'no-rule', 'not-isolated'].includes(verdict.reason)) return;
        const found = { kind: 'pod', name: objectKey(pod.namespace, pod.name), pod } as const;
        const [group] = describePods(found, context).groups.first;
        if (group === undefined) throw new Error(`${found.name} is not described`);
        const other = { address: from, ...(peer && { workload: workloadOf(peer, pod), ports: peer.ports }) };
        const rule = admittedBy(group[direction], other, { protocol, port: flow.port });
        compared += 1;
        const said =
          rule === undefined ? 'no-rule' : rule === 'open' ? 'not-isolated' : `${rule.policy} ${rule.rule}`;
        const judged =
          verdict.reason === 'rule'
            ? `${objectKey(verdict.policy.namespace, verdict.policy.name)} ${verdict.rule}`
            : verdict.reason;
        expect(said).toBe(judged);
      };
      for (const flow of flows) {
        expectSame('ingress', flow);
        expectSame('egress', flow);
      }
    }),
    { numRuns: 200 },
  );
  expect(compared).toBeGreaterThan(1_000);
});

/** As descriptions of pods of another's namespace name it. */
function workloadOf(peer: Pod, { namespace }: Pod): string {
  return peer.namespace === namespace ? peer.workload : `${peer.namespace}/${peer.workload}`;
}
