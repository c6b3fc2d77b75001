/** What it costs to say which policies leave pods without DNS. */
import { expect, test } from 'vitest';
import { DnsWarnings } from '../../../../../injector/kubernetes/status/dns_warnings.ts';
import { PolicyCounts } from '../../../../../injector/tables/policy_counts.ts';
import { parseNetworkPolicy, parsePod } from '../../../../../policy/index.ts';
import { accepted, apiPod, apiPolicy, readCluster } from '../../../../builders/api_objects.ts';

const PODS = Array.from({ length: 30 }, (_, i) => `shop/p${i}`);
const POLICIES = Array.from({ length: 50 }, (_, i) => `shop/e${i}`);
const cluster = {
  ...readCluster({}),
  pods: new Map(PODS.map((key, i) => [key, accepted(parsePod(apiPod(key, { ips: [`10.0.0.${i}`] })))])),
  policies: new Map(POLICIES.map((key) => [key, egress(key)])),
};
const counts = new PolicyCounts(cluster);

function egress(key: string) {
  return accepted(parseNetworkPolicy(apiPolicy(key, { podSelector: {}, policyTypes: ['Egress'] })));
}

test('each pod is looked at once, however many policies select it, and others have their turn meanwhile', async () => {
  const asked: string[] = [];
  const dns = new DnsWarnings({
    forgottenDns: (key) => {
      const endMs = performance.now() + 4;
      while (performance.now() < endMs);
      asked.push(key);
      return undefined;
    },
    counts: () => counts,
  });
  let turns = 0;
  const count = setInterval(() => {
    turns += 1;
  }, 1);
  for (const policy of POLICIES) expect(await dns.of(policy, cluster)).toEqual([]);
  clearInterval(count);
  expect(asked).toEqual(PODS.slice(0, 20));
  expect(turns).toBeGreaterThanOrEqual(3);
});

test('the first pod of which there is something to say is named, in each policy that selects it', async () => {
  const dns = new DnsWarnings({
    forgottenDns: (key) => (key === PODS[1] ? 'no DNS' : undefined),
    counts: () => counts,
  });
  for (const policy of POLICIES.slice(0, 2))
    expect(await dns.of(policy, cluster)).toEqual([`pod ${PODS[1]}: no DNS`]);
  expect(await dns.of('shop/gone', cluster)).toEqual([]);
});
