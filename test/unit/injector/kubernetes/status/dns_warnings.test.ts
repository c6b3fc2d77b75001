/** What it costs to say which policies leave pods without DNS. */
import { expect, test } from 'vitest';
import { DnsWarnings } from '../../../../../injector/kubernetes/status/dns_warnings.ts';
import { parseNetworkPolicy, parsePod } from '../../../../../policy/index.ts';
import { accepted, apiPod, apiPolicy, readCluster } from '../../../../builders/api_objects.ts';

const PODS = Array.from({ length: 30 }, (_, i) => `shop/p${i}`);
const cluster = {
  ...readCluster({}),
  pods: new Map(PODS.map((key, i) => [key, accepted(parsePod(apiPod(key, { ips: [`10.0.0.${i}`] })))])),
};

const egress = (name: string) =>
  accepted(parseNetworkPolicy(apiPolicy(`shop/${name}`, { podSelector: {}, policyTypes: ['Egress'] })));

test('each pod is looked at once, however many policies select it, and others have their turn meanwhile', async () => {
  const asked: string[] = [];
  const dns = new DnsWarnings({
    forgottenDns: (key) => {
      const endMs = performance.now() + 4;
      while (performance.now() < endMs);
      asked.push(key);
      return undefined;
    },
  });
  let turns = 0;
  const count = setInterval(() => {
    turns += 1;
  }, 1);
  for (let i = 0; i < 50; i += 1) expect(await dns.of(egress(`p${i}`), PODS, cluster)).toEqual([]);
  clearInterval(count);
  expect(asked).toEqual(PODS.slice(0, 20));
  expect(turns).toBeGreaterThanOrEqual(3);
});

test('the first pod of which there is something to say is named, in each policy that selects it', async () => {
  const dns = new DnsWarnings({ forgottenDns: (key) => (key === PODS[1] ? 'no DNS' : undefined) });
  for (const name of ['a', 'b'])
    expect(await dns.of(egress(name), PODS, cluster)).toEqual([`pod ${PODS[1]}: no DNS`]);
  expect(await dns.of(undefined, PODS, cluster)).toEqual([]);
});
