/** What tables say of a policy: versions before and after kinds and tiers read each other. */

import { expect, it } from 'vitest';
import { compile, readTable, type Table } from '../../../../policy/index.ts';
import { apiNamespace, apiPod, apiPolicy, readCluster } from '../../../builders/api_objects.ts';

function tableOf(): Table {
  const cluster = readCluster({
    namespaces: [apiNamespace('shop')],
    pods: [apiPod('shop/api', { ips: ['10.0.0.1'] })],
    policies: [apiPolicy('shop/a', { ingress: [{}] })],
  });
  return compile(cluster, 'shop/api', 1);
}

/** The table with fields added to each reference to its policy. */
function withFields(fields: object): unknown {
  const table = tableOf();
  const add = (ref: object) => ({ ...ref, ...fields });
  const { isolating, rules } = table.ingress;
  return {
    ...table,
    ingress: {
      ...table.ingress,
      isolating: isolating.map(add),
      rules: rules.map((rule) => ({ ...rule, policy: add(rule.policy) })),
    },
  };
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
