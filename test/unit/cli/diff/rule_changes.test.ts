/** Rules are compared by what they say, and reasons name where they stand. */
import { expect, test } from 'vitest';
import { createRuleChanges } from '../../../../cli/diff/rule_changes.ts';
import { apiPolicy, readCluster } from '../../../builders/api_objects.ts';
import { deployment, manifestDirectory } from '../../../builders/cli_manifests.ts';
import { policy } from '../../../builders/manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

const to = (app: string, port: number) => ({
  to: [{ podSelector: { matchLabels: { app } } }],
  ports: [{ port }],
});

const [DNS, DB, STORE] = [to('dns', 53), to('db', 5432), to('store', 443)];

test.each([
  ['a rule before others', [DB, STORE], [DNS, DB, STORE], ['same', 'same'], ['added', 'same', 'same']],
  ['a rule behind others', [DB], [DB, STORE], ['same'], ['same', 'added']],
  ['a rule that goes', [DNS, DB, STORE], [DB, STORE], ['removed', 'same', 'same'], ['same', 'same']],
  ['other ports', [DNS, DB], [STORE, DNS, to('db', 5433)], ['same', 'changed'], ['added', 'same', 'changed']],
  ['other peers', [DB, STORE], [to('pg', 5432), STORE], ['changed', 'same'], ['changed', 'same']],
  ['another order', [DNS, DB], [DB, DNS], ['same', 'same'], ['same', 'same']],
])('%s', (_, was, is, before, after) => {
  const cluster = (egress: readonly object[]) =>
    readCluster({ policies: [apiPolicy('shop/web', { podSelector: {}, policyTypes: ['Egress'], egress })] });
  const changes = createRuleChanges(cluster(was), cluster(is));
  const hows = (side: 'before' | 'after', count: number) =>
    Array.from(
      { length: count },
      (_, index) => changes({ side, policy: 'shop/web', direction: 'egress', index }).how,
    );
  expect([hows('before', was.length), hows('after', is.length)]).toEqual([before, after]);
});

test('wide, markdown and json say where the rule stands, on the side on which it opens', async () => {
  const workloads = ['web', 'db', 'dns'].map((app) => deployment(`shop/${app}`, { app }));
  const web = (...egress: readonly object[]) =>
    policy('shop/web', { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Egress'], egress });
  const [before, after] = [
    manifestDirectory(...workloads, web(DB)),
    manifestDirectory(...workloads, web(DNS, DB)),
  ];
  for (const format of ['wide', 'markdown']) {
    const { stdout } = await runSluice(['diff', before, after, '-o', format, '--no-headers']);
    expect(stdout).toMatch(/shop\/web egress\[0\] added \([^ ]+:\d+:\d+\)/);
    expect(stdout).toContain(`added (${after}`);
  }
  const { stdout } = await runSluice(['diff', before, after, '-o', 'json']);
  expect(JSON.parse(stdout).changes[0].because).toEqual([
    {
      kind: 'rule',
      direction: 'egress',
      policy: 'shop/web',
      rule: 0,
      how: 'added',
      file: expect.stringContaining(after),
      line: expect.any(Number),
      column: expect.any(Number),
    },
  ]);
});
