/** Egress isolation that leaves out DNS. */

import { expect, it } from 'vitest';
import { createCompiler, forgottenDns } from '../../../policy/index.ts';
import { apiPod, apiPolicy, readCluster } from './api_objects.ts';

const spec = (egress: readonly object[]) => ({ podSelector: {}, policyTypes: ['Egress'], egress }) as never;

const warning = (...egress: readonly object[]) => {
  const cluster = readCluster({
    pods: [apiPod('a/x', { ips: ['10.0.0.1'] })],
    policies: [apiPolicy('a/out', spec(egress))],
  });
  return forgottenDns(createCompiler(cluster).compile('a/x', 1));
};

it('names the pod and the policies when no rule admits UDP/53', () => {
  const text = 'egress of a/x is isolated by a/out, and no rule admits DNS (UDP/53): names do not resolve';
  expect(warning()).toBe(text);
  expect(warning({ ports: [{ port: 443 }] })).toBe(text);
  expect(warning({ ports: [{ port: 53 }] })).toBe(text); // TCP only
});

it.each([
  [{}],
  [{ ports: [{ protocol: 'UDP' }] }],
  [{ ports: [{ protocol: 'UDP', port: 53 }] }],
  [{ ports: [{ protocol: 'UDP', port: 50, endPort: 60 }] }],
  [{ ports: [{ protocol: 'UDP', port: 'dns' }] }],
])('is silent about a rule that may admit it: %j', (rule) => {
  expect(warning(rule)).toBeUndefined();
});

it('is silent about a pod that is not isolated for egress', () => {
  const cluster = readCluster({ pods: [apiPod('a/x', { ips: ['10.0.0.1'] })] });
  expect(forgottenDns(createCompiler(cluster).compile('a/x', 1))).toBeUndefined();
});
