/** What commands print as JSON has the form that docs/schema describes, and no field that it does not. */
import { expect, test } from 'vitest';
import { pod, shop } from '../../builders/cli_manifests.ts';
import { policy } from '../../builders/manifests.ts';
import { schemaProblems } from './support/schema.ts';
import { runSluice } from './support/sluice_process.ts';

test.each([
  ['allowed', ['shop/web', 'shop/api', '8080']],
  ['denied, with rules that came near', ['shop/batch', 'shop/api', '8080']],
  ['from a block of addresses', ['internet', 'shop/api', '8080']],
  ['about all ports', ['shop/batch', 'shop/api', '--all-ports']],
])('sluice can, %s', async (_, question) => {
  const { stdout } = await runSluice(['can', ...question, '-f', shop(), '-o', 'json']);
  expect(schemaProblems('can.v1.json', stdout)).toEqual([]);
});

test('sluice can --batch, answers and errors', async () => {
  const lines = '{"from":"shop/web","to":"shop/api","port":80}\n{"from":"shop/nobody"}\n';
  const { stdout } = await runSluice(['can', '--batch', '-', '-f', shop()], lines);
  const [answer = '', error = ''] = stdout.split('\n');
  expect(schemaProblems('can.v1.json', answer)).toEqual([]);
  expect(JSON.parse(error)).toMatchObject({ schema: 'sluice.dev/can/v1', code: 'QUESTION_INVALID' });
});

test('sluice check', async () => {
  const { stdout } = await runSluice(['check', '-f', shop(pod('shop/x')), '-n', 'shop', '-o', 'json']);
  expect(schemaProblems('check.v1.json', stdout)).toEqual([]);
});

test('sluice diff', async () => {
  const more = policy('shop/more', {
    podSelector: {},
    ingress: [{ ports: [{ port: 53, protocol: 'UDP' }] }],
  });
  const { stdout } = await runSluice(['diff', shop(), shop(pod('shop/new'), more), '-o', 'json']);
  expect(schemaProblems('diff.v1.json', stdout)).toEqual([]);
  expect(JSON.parse(stdout).changes.length).toBeGreaterThan(0);
});

test('sluice graph', async () => {
  const { stdout } = await runSluice(['graph', '--exposure', '--all', '-o', 'json', '-f', shop()]);
  expect(schemaProblems('graph.v1.json', stdout)).toEqual([]);
  expect(JSON.parse(stdout).edges.length).toBeGreaterThan(0);
});
