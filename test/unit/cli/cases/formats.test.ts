/** The formats that programs read: JSON by its schema, TAP and XML by parsers that are not ours, also with hostile names. */
import { readFileSync } from 'node:fs';
import { SaxesParser } from 'saxes';
import { Parser } from 'tap-parser';
import { expect, test } from 'vitest';
import { shop } from '../../../builders/cli_manifests.ts';
import { schemaProblems } from '../support/schema.ts';
import { runSluice } from '../support/sluice_process.ts';
import { caseFile } from './cases_files.ts';

const HOSTILE = [
  'ok # SKIP',
  'a \\# TODO \\',
  '<x a="b">&amp;]]></x>',
  "'\u0000\u001b[2J\u0007",
  '\ud800 \uffff \u{1f600}',
  'line\nnot ok 9\n  ...\n1..0',
  'Bail out!',
];

const CASES = JSON.stringify({
  namespace: 'shop',
  tests: [
    { from: 'web', to: 'api:8080', expect: 'allow' },
    ...HOSTILE.map((name) => ({ name, from: 'batch', to: 'api:8080', expect: 'allow' })),
    ...HOSTILE.map((name) => ({ name, from: 'web', to: 'api:8080', expect: 'allow' })),
    { name: HOSTILE[2], from: 'nobody', to: 'api:8080', expect: 'deny' },
  ],
});

const TOTAL = 2 * HOSTILE.length + 2;

async function report(format: string): Promise<string> {
  const { stdout, code } = await runSluice([
    'test',
    '-f',
    caseFile(CASES, 'c<a>&".json'),
    '-f',
    shop(),
    '-o',
    format,
  ]);
  expect(code).toBe(2);
  return stdout;
}

test('-o json has the form of its schema', async () => {
  const stdout = await report('json');
  expect(schemaProblems('test.v1.json', stdout)).toEqual([]);
  expect(JSON.parse(stdout)).toMatchObject({
    schema: 'sluice.dev/test/v1',
    by: 'engine',
    counts: { cases: TOTAL, passed: 1 + HOSTILE.length, failed: HOSTILE.length, errors: 1 },
  });
});

test('an answer has the form that it has in sluice can', () => {
  const definitions = (name: string) => JSON.parse(readFileSync(`docs/schema/${name}`, 'utf8')).$defs;
  const { case: _, probe: __, ...shared } = definitions('test.v1.json');
  expect(Object.keys(shared)).toHaveLength(6);
  expect(definitions('can.v1.json')).toMatchObject(shared);
});

test('-o tap is TAP 14: each case counts as what it is, whatever its name', async () => {
  const { counts, results } = parseTap(await report('tap'));
  expect(results).toMatchObject({ count: TOTAL, pass: 1 + HOSTILE.length, fail: 1 + HOSTILE.length });
  expect(results).toMatchObject({ skip: 0, todo: 0, bailout: false, failures: expect.any(Array) });
  expect(counts.extra).toEqual([]);
  const names = counts.asserts.map(({ name }) => name);
  expect(names[1]).toBe('ok # SKIP: batch -> api:8080 wanted allow, got deny');
  expect(names[6]).toContain('line\\u000anot ok 9\\u000a  ...');
  expect(counts.asserts[1]?.diag).toMatchObject({
    message: 'wanted allow, got deny',
    at: { file: expect.stringContaining('c<a>&".json'), line: 1 },
    details: expect.arrayContaining([expect.stringContaining('denied: shop/batch -> shop/api')]),
  });
});

function parseTap(text: string) {
  const asserts: { readonly name: string; readonly diag: unknown }[] = [];
  const extra: string[] = [];
  const parser = new Parser({ strict: true });
  parser.on('assert', ({ name, diag }) => asserts.push({ name, diag }));
  parser.on('extra', (line: string) => extra.push(line));
  parser.end(text);
  return { counts: { asserts, extra }, results: parser.results };
}

test('-o junit is well-formed XML, and says the same', async () => {
  const elements: { readonly name: string; readonly attributes: Readonly<Record<string, string>> }[] = [];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => elements.push({ name, attributes }));
  parser.write(await report('junit')).close();
  const named = (name: string) => elements.filter((element) => element.name === name);
  const totals = { tests: `${TOTAL}`, failures: `${HOSTILE.length}`, errors: '1', skipped: '0' };
  expect(elements[0]).toMatchObject({ name: 'testsuites', attributes: totals });
  expect(elements[1]).toMatchObject({
    name: 'testsuite',
    attributes: { ...totals, name: expect.stringContaining('c<a>&".json') },
  });
  expect(named('testcase')).toHaveLength(TOTAL);
  expect(named('failure')).toHaveLength(HOSTILE.length);
  expect(named('error')).toHaveLength(1);
  const names = named('testcase').map(({ attributes }) => attributes.name);
  expect(names[3]).toBe('<x a="b">&amp;]]></x>: batch -> api:8080 allow');
  expect(names[5]).toBe('\ufffd \ufffd \u{1f600}: batch -> api:8080 allow');
});
