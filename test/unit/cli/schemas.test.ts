/** What commands print as JSON has the form that docs/schema describes, and no field that it does not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { isRecord } from '../../../common/shape.ts';
import { deployment, pod, shop } from '../../builders/cli_manifests.ts';
import { describeIn, shopFiles } from './describe/shop_files.ts';
import { runSluice } from './support/sluice_process.ts';

const SCHEMAS = join(import.meta.dirname, '../../../docs/schema');

/** With every object closed: readers take fields that are new, this test does not. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (!isRecord(schema)) return schema;
  const parts = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return schema.type === 'object' ? { ...parts, additionalProperties: false } : parts;
}

function validator(name: string) {
  const schema: unknown = JSON.parse(readFileSync(join(SCHEMAS, name), 'utf8'));
  const validate = new Ajv2020({ allowUnionTypes: true }).compile(closed(schema) as object);
  return (text: string) => (validate(JSON.parse(text)) ? [] : (validate.errors ?? []));
}

test.each([
  ['allowed', ['shop/web', 'shop/api', '8080']],
  ['denied, with rules that came near', ['shop/batch', 'shop/api', '8080']],
  ['from a block of addresses', ['internet', 'shop/api', '8080']],
  ['about all ports', ['shop/batch', 'shop/api', '--all-ports']],
])('sluice can, %s', async (_, question) => {
  const { stdout } = await runSluice(['can', ...question, '-f', shop(), '-o', 'json']);
  expect(validator('can.v1.json')(stdout)).toEqual([]);
});

test.each(['shop/deploy/cart', 'shop/db-0', 'shop/deploy/absent', 'ns/shop', 'shop/netpol/db-clients'])(
  'sluice describe %s',
  async (target) => {
    const more = JSON.stringify(deployment('shop/absent', { app: 'absent' }));
    const { stdout } = await describeIn(shopFiles(more), target, '-o', 'json');
    expect(validator('describe.v1.json')(stdout)).toEqual([]);
  },
);

test('sluice can --batch, answers and errors', async () => {
  const lines = '{"from":"shop/web","to":"shop/api","port":80}\n{"from":"shop/nobody"}\n';
  const { stdout } = await runSluice(['can', '--batch', '-', '-f', shop()], lines);
  const [answer = '', error = ''] = stdout.split('\n');
  expect(validator('can.v1.json')(answer)).toEqual([]);
  expect(JSON.parse(error)).toMatchObject({ schema: 'sluice.dev/can/v1', code: 'QUESTION_INVALID' });
});

test('sluice check', async () => {
  const { stdout } = await runSluice(['check', '-f', shop(pod('shop/x')), '-n', 'shop', '-o', 'json']);
  expect(validator('check.v1.json')(stdout)).toEqual([]);
});
