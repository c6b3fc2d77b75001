/**
 * The conformance cases as real TCP connections, IPv4 and IPv6. Cases with the same pods share a lab; the states
 * follow each other by the changes a user would make. Egress is not enforced yet: where a case's verdict needs the
 * egress half, the ingress half alone is expected.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evaluateFlow } from '../../policy/index.ts';
import {
  type Case,
  type CaseProbe,
  caseCluster,
  caseObjects,
  probeEndpoint,
  readCases,
} from '../conformance/case.ts';
import { TestLab } from './harness.ts';
import type { Manifest } from './objects.ts';

/** Probes that run at once: each holds a client's turn only while it waits. */
const PARALLEL = 16;

/** The 9-pod variants state the same cases at three times the pods: the small ones show them on packets. */
const cases = readCases().filter(
  (one) => !one.name.startsWith('upstream-9pod/') && tcpProbes(one).length > 0,
);

function tcpProbes(one: Case): readonly CaseProbe[] {
  const hostPods = new Set(
    one.pods.filter((pod) => pod.hostNetwork).map((pod) => `${pod.namespace}/${pod.name}`),
  );
  return one.probes.filter(
    (probe) =>
      probe.protocol === 'TCP' &&
      !probe.to.startsWith('ip:') &&
      !hostPods.has(probe.to) &&
      !hostPods.has(probe.from),
  );
}

/** The same address in IPv6: `10.1.2.12` is `fd00:1::2:12`. */
function v6(address: string): string {
  const [, , third, fourth] = address.split('.');
  return `fd00:1::${third}:${fourth}`;
}

const topologyOf = (one: Case) =>
  JSON.stringify(one.pods.map(({ labels: _, ...place }) => place).sort((a, b) => a.ip.localeCompare(b.ip)));

/** A case's objects for the lab: pods have an IPv6 address too, and serve every port that any probe dials. */
function labObjects(
  one: Case,
  ports: readonly number[],
): { readonly base: Manifest[]; readonly policies: Manifest[] } {
  const { nodes, namespaces, pods, policies } = caseObjects(one) as unknown as Record<string, Manifest[]>;
  const dual = (pods ?? []).map((manifest) => {
    const pod = structuredClone(manifest) as {
      spec: { containers: object[] };
      status: { podIP: string; podIPs?: object[] };
    };
    pod.status.podIPs = [{ ip: pod.status.podIP }, { ip: v6(pod.status.podIP) }];
    pod.spec.containers.push({
      name: 'more',
      ports: ports.map((port) => ({ containerPort: port, protocol: 'TCP' })),
    });
    return pod as unknown as Manifest;
  });
  return { base: [...(nodes ?? []), ...(namespaces ?? []), ...dual], policies: policies ?? [] };
}

function expected(one: Case, probe: CaseProbe): boolean {
  const cluster = caseCluster(one);
  const { ingress } = evaluateFlow(cluster, {
    source: probeEndpoint(cluster, probe.from),
    destination: probeEndpoint(cluster, probe.to),
    protocol: 'TCP',
    port: probe.port,
  });
  return probe.allowed || ingress.verdict === 'allow';
}

const usesIPBlock = (one: Case) => JSON.stringify(one.policies).includes('ipBlock');

async function askAll<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await ask(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return results;
}

describe.each([...Map.groupBy(cases, topologyOf).values()])('cases on the pods of $name', (...group) => {
  const ports = [...new Set(group.flatMap((one) => tcpProbes(one).map((probe) => probe.port)))];
  const external = [
    ...new Set(
      group.flatMap((one) =>
        tcpProbes(one).flatMap(({ from }) => (from.startsWith('ip:') ? [from.slice(3)] : [])),
      ),
    ),
  ];
  let net: TestLab | undefined;
  let previous: Manifest[] = [];
  beforeAll(async () => {
    const [first] = group;
    if (first !== undefined)
      net = await TestLab.up({
        objects: labObjects(first, ports).base,
        external,
        sidecarEnv: { SLUICE_DENY: 'reset' },
      });
  });
  afterAll(async () => {
    await net?.close();
  });

  test.each(group)('$name', async (one) => {
    if (net === undefined) throw new Error('the lab is not up');
    const lab = net;
    const { base, policies } = labObjects(one, ports);
    lab.lab.removeObjects(...previous);
    lab.lab.writeObjects(...base, ...policies);
    previous = policies;
    await lab.lab.waitEnforced();
    const addressOf = new Map(one.pods.map((pod) => [`${pod.namespace}/${pod.name}`, pod.ip]));
    const probes = tcpProbes(one).flatMap((probe) => {
      const address = addressOf.get(probe.to) ?? '';
      const families = probe.from.startsWith('ip:') || usesIPBlock(one) ? [address] : [address, v6(address)];
      return families.map((to) => ({ ...probe, address: to, expected: expected(one, probe) }));
    });
    const seen = await askAll(probes, async ({ from, address, port }) => {
      const outside = from.startsWith('ip:');
      const options = outside ? { localAddress: from.slice(3) } : {};
      const { allowed } = await lab.connect(outside ? 'outside' : from, address, port, options);
      return allowed;
    });
    const wrong = probes.filter((probe, index) => probe.expected !== seen[index]);
    expect(
      wrong.map(({ from, to, address, port, expected }) => ({ from, to, address, port, expected })),
    ).toEqual([]);
    expect(probes.length).toBeGreaterThan(0);
  });
});
