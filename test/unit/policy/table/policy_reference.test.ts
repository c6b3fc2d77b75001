/** What tables say of a policy: versions before and after kinds and tiers read each other. */

import { expect, it } from 'vitest';
import { compile, readTable, type Table, tableJson } from '../../../../policy/index.ts';
import { apiNamespace, apiPod, apiPolicy, readCluster } from '../../../builders/api_objects.ts';

function tableOf(): Table {
  const cluster = readCluster({
    namespaces: [apiNamespace('shop')],
    pods: [apiPod('shop/api', { ips: ['10.0.0.1'] })],
    policies: [apiPolicy('shop/a', { ingress: [{}] })],
  });
  return compile(cluster, 'shop/api', 1);
}

/** The table as JSON says it, with fields added to each reference to its policy. */
function withFields(fields: object): unknown {
  const { policies, ...table } = tableJson(tableOf());
  const entries = Object.entries(policies).map(([key, { policy, ...rules }]): [string, object] => [
    key,
    { policy: { ...policy, ...fields }, ...rules },
  ]);
  return { ...table, policies: Object.fromEntries(entries) };
}

it('says nothing of the kind and the tier of a NetworkPolicy', () => {
  const { isolating, rules } = tableOf().ingress;
  const ref = { namespace: 'shop', name: 'a' };
  expect(isolating).toEqual([ref]);
  expect(rules).toMatchObject([{ policy: ref }]);
  expect(Object.keys(rules[0]?.policy ?? {})).toEqual(['namespace', 'name']);
});

it('takes a NetworkPolicy that says so', () => {
  expect(() => readTable(withFields({ kind: 'NetworkPolicy', tier: 'NetworkPolicy' }))).not.toThrow();
});

it.each([{ kind: 'ClusterNetworkPolicy' }, { tier: 'Admin' }, { rank: 1 }])(
  'refuses a policy with %j: what its rules mean is not known',
  (fields) => {
    expect(() => readTable(withFields(fields))).toThrowError(
      expect.objectContaining({ code: 'TABLE_MALFORMED' }),
    );
  },
);
