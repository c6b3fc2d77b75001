/** What is kept of rules that were made: as much as is of use, whatever ports pods have. */
import { expect, test } from 'vitest';
import { RuleCompiler } from '../../../../policy/compile/table_rules.ts';
import { parseNetworkPolicy, parsePod } from '../../../../policy/index.ts';
import { accepted, apiPod, apiPolicy } from '../../../builders/api_objects.ts';

const POLICIES = [
  accepted(
    parseNetworkPolicy(apiPolicy('shop/a', { podSelector: {}, ingress: [{ ports: [{ port: 'http' }] }] })),
  ),
];

const podWith = (containerPort: number) =>
  accepted(parsePod(apiPod('shop/x', { ips: ['10.0.0.1'], ports: [{ name: 'http', containerPort }] })));

test('pods with the same ports have the same rules; of many others only the last are kept, and all are right', () => {
  const compiler = new RuleCompiler();
  const first = compiler.rules(POLICIES, podWith(1));
  expect(compiler.rules(POLICIES, podWith(1))).toBe(first);
  for (let port = 2; port <= 300; port += 1)
    expect(compiler.rules(POLICIES, podWith(port)).ingress.rules).toMatchObject([
      { ports: [{ from: port, to: port }] },
    ]);
  const again = compiler.rules(POLICIES, podWith(1));
  expect(again).toEqual(first);
  expect(again).not.toBe(first);
});
