/** Random clusters: every pair of ends can reach each other at exactly the ports at which the engine lets them. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  blocksOfPolicies,
  createConnectivity,
  createNetworks,
  hasPort,
  haveOneFamily,
  portsBetween,
  type Stance,
} from '../../../../cli/connectivity/index.ts';
import { PROTOCOLS } from '../../../../common/net.ts';
import { type Cluster, createEvaluator, type Endpoint, isLive } from '../../../../policy/index.ts';
import { type ApiCluster, readCluster } from '../../../builders/api_objects.ts';
import { apiCluster } from '../../../builders/random_cluster.ts';
import { probePool } from '../../policy/probes.ts';
import { isExempt, PROPERTY_TIMEOUT_MS, strangersAmong } from './engine_words.ts';

interface End {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly stance: Stance;
}

function endsOf(cluster: Cluster, objects: ApiCluster): readonly End[] {
  const networks = createNetworks(blocksOfPolicies(cluster));
  const connectivity = createConnectivity(cluster, networks);
  const pods = [...cluster.pods.values()].filter(isLive).map((pod) => ({
    name: pod.name,
    endpoint: { kind: 'pod', pod } as const,
    stance: connectivity.stanceOfPod(pod),
  }));
  const addresses = strangersAmong(probePool(objects).addresses, [cluster]);
  const strangers = addresses.flatMap((address) => {
    const region = networks.regionOf(address);
    const stance = [...connectivity.networks].find(([, regions]) =>
      regions.some((one) => one === region),
    )?.[0];
    return stance === undefined
      ? []
      : [{ name: address, endpoint: { kind: 'address', address } as const, stance }];
  });
  expect(strangers.length).toBe(addresses.length);
  return [...pods, ...strangers];
}

/** Pods of a repository have no addresses: selectors alone decide. */
const withAndWithoutAddresses = fc.tuple(apiCluster, fc.nat(3)).map(
  ([objects, nth]): ApiCluster => ({
    ...objects,
    pods: (objects.pods ?? []).map((pod, at) =>
      nth > 0 && at % nth === 0 ? { ...pod, status: { phase: 'Pending' } } : pod,
    ),
  }),
);

it('what policies let through is what the engine lets through, for every pair', {
  timeout: PROPERTY_TIMEOUT_MS,
}, () => {
  let compared = 0;
  let open = 0;
  fc.assert(
    fc.property(withAndWithoutAddresses, (objects) => {
      const cluster = readCluster(objects);
      const evaluator = createEvaluator(cluster);
      const ends = endsOf(cluster, objects);
      const ports = [...new Set(probePool(objects).ports)];
      for (const source of ends)
        for (const destination of ends) {
          if (!haveOneFamily(source.stance, destination.stance)) continue;
          const set = portsBetween(source.stance, destination.stance);
          for (const protocol of PROTOCOLS)
            for (const port of ports) {
              const verdict = evaluator.evaluate({
                source: source.endpoint,
                destination: destination.endpoint,
                protocol,
                port,
              });
              if (isExempt(verdict)) continue;
              compared += 1;
              const isOpen = verdict.verdict === 'allow';
              if (isOpen) open += 1;
              if (hasPort(set, protocol, port) !== isOpen)
                expect.fail(
                  `${source.name} -> ${destination.name} ${protocol}/${port} ${JSON.stringify(verdict)} ${set.key}`,
                );
            }
        }
    }),
    { numRuns: 150 },
  );
  // Neither side of the comparison is nearly everything.
  expect(open / compared).toBeGreaterThan(0.1);
  expect(open / compared).toBeLessThan(0.9);
});
