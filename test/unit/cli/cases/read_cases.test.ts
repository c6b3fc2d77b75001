/** A file of cases is read whole, or refused with all that is wrong in it, by line and column. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readCaseFiles } from '../../../../cli/cases/case_files.ts';
import { readCases } from '../../../../cli/cases/read_cases.ts';
import { TEST_HELP } from '../../../../cli/cases/test_options.ts';
import { schemaProblems } from '../support/schema.ts';

const faultsOf = (text: string, isNamespaceKnown = true) =>
  readCases('cases.yaml', text, isNamespaceKnown).faults.map(
    ({ line, column, message }) => `${line}:${column} ${message}`,
  );

test('names, ends, ports and expectations are read, with where they stand', () => {
  const { cases, faults } = readCases(
    'cases.yaml',
    `# a comment
namespace: shop
tests:
- {from: deploy/web, to: 'svc/cart:grpc', expect: allow, name: web reads the cart}
- from: web
  to: '[fd00::1]:53/UDP'
  expect: deny
- {from: internet, to: sts/db, port: 5432, protocol: tcp, expect: deny}
`,
    false,
  );
  expect(faults).toEqual([]);
  const place = { file: 'cases.yaml', column: 3 };
  expect(cases).toEqual([
    {
      place: { ...place, line: 4 },
      namespace: 'shop',
      name: 'web reads the cart',
      question: { from: 'deploy/web', to: 'svc/cart', port: 'grpc' },
      to: 'svc/cart:grpc',
      expect: 'allow',
    },
    {
      place: { ...place, line: 5 },
      namespace: 'shop',
      question: { from: 'web', to: '[fd00::1]', port: '53/UDP' },
      to: '[fd00::1]:53/UDP',
      expect: 'deny',
    },
    {
      place: { ...place, line: 8 },
      namespace: 'shop',
      question: { from: 'internet', to: 'sts/db', port: '5432', protocol: 'tcp' },
      to: 'sts/db 5432',
      expect: 'deny',
    },
  ]);
});

test('all faults are found at once', () => {
  expect(
    faultsOf(`namespace: Shop
test: []
tests:
- {from: web, to: "api:80", expects: allow}
- {to: "api:80", expect: alow}
- from: a/b/c
  to: api
  expect: deny
- {from: web, to: "api:99999", expect: deny}
- {from: web, to: "api:80", port: 81, expect: deny}
- {from: web, to: "api:80/UDP", protocol: TCP, expect: deny}
- {from: [web], to: "api:80", expect: yes}
- just a text
- {from: web, to: "::1:2", expect: deny}
`),
  ).toEqual([
    "1:12 namespace is 'Shop', which no namespace can be called",
    "2:1 there is no field 'test'; did you mean tests?",
    '4:3 expect is missing: allow or deny',
    "4:38 there is no field 'expects'; did you mean expect?",
    '5:3 from is missing',
    "5:26 expect is 'alow': wants allow or deny; did you mean allow?",
    expect.stringMatching(/^6:9 'a\/b\/c' is not an IP address/),
    "9:19 port '99999' is not in 1-65535",
    "10:35 'api:80' has its port: '81' is one too many",
    "11:19 port '80/UDP' contradicts protocol 'TCP'",
    '12:4 from wants a text, and is a list',
    '12:39 expect is true: wants allow or deny',
    "13:3 a case wants from, to and expect, and is 'just a text'",
    "14:19 '::1:2' needs a port: write [::1:2]:443",
  ]);
});

test('a target without a port is a fault', () => {
  expect(faultsOf('tests: [{from: a/b, to: a/c, expect: deny}]')).toEqual([
    "1:25 'a/c' needs a port: write a/c:443",
  ]);
});

test('names without a namespace are faults where nothing gives one', () => {
  const text = 'tests:\n- {from: web, to: "x/api:80", expect: deny}\n';
  expect(faultsOf(text, false)).toEqual([expect.stringContaining("2:10 'web' is not an IP address")]);
  expect(faultsOf(text, true)).toEqual([]);
  expect(faultsOf(`namespace: shop\n${text}`, false)).toEqual([]);
});

test.each([
  ['no list', 'tests:\n', '1:1 tests wants a list of cases, at least one'],
  ['an empty list', 'tests: []\n', '1:1 tests wants a list of cases, at least one'],
  ['a list at the top', '- from: a\n', '1:1 wants fields, of which one is tests, and is a list'],
  ['broken YAML', 'tests:\n- {from: a, to: [b}\n', expect.stringMatching(/^2:\d+ /)],
  ['an alias without an anchor', 'tests:\n- *a\n', '2:3 no anchor &a stands before *a'],
  [
    'a second document',
    'namespace: a\ntests: [{from: a, to: "b:1", expect: deny}]\n---\nx: 1\n',
    '4:1 tests is missing',
  ],
])('%s', (_, text, fault) => {
  expect(faultsOf(text)[0]).toEqual(typeof fault === 'string' ? expect.stringContaining(fault) : fault);
});

test('aliases and JSON are read as of manifests', () => {
  const yaml = 'tests:\n- &a {from: x/a, to: "x/b:1", expect: deny}\n- {<<: *a, expect: allow}\n';
  expect(readCases('c', yaml, true).cases.map(({ expect: wanted }) => wanted)).toEqual(['deny', 'allow']);
  const json = '{"tests":[{"from":"x/a","to":"x/b:1","expect":"deny"}]}';
  expect(readCases('c', json, true)).toMatchObject({
    faults: [],
    cases: [{ place: { line: 1, column: 11 } }],
  });
});

test.each([
  ['fields', `tests: [{from: a/b, to: "a/c:1", expect: deny}]\n${numbered((at) => `f${at}: 1\n`)}`],
  ['fields of a case', `tests: [{from: a/b, to: "a/c:1", expect: deny${numbered((at) => `, f${at}: 1`)}}]\n`],
  ['items that are no cases', `tests: [${numbered(() => '1, ')}1]\n`],
])('a file full of %s is refused soon', (_, text) => {
  const startedAt = process.cpuUsage();
  expect(faultsOf(text).length).toBeLessThan(20);
  expect(process.cpuUsage(startedAt).user / 1e6).toBeLessThan(20);
});

test('too many cases are refused, in one file and in several', () => {
  expect(faultsOf(`tests: [${'1, '.repeat(10_001)}]\n`)).toEqual([
    '1:1 there are more than 10000 cases: make several files of them',
  ]);
  const half = `tests:\n${'- {from: a/b, to: "a/c:1", expect: deny}\n'.repeat(5_001)}`;
  const files = ['a.yaml', 'b.yaml'].map((file) => ({ file, text: half }));
  expect(() => readCaseFiles(files, true)).toThrow(
    'there are more than 10000 cases: test one file at a time',
  );
});

function numbered(write: (at: number) => string): string {
  return Array.from({ length: 20_000 }, (_, at) => write(at)).join('');
}

test('many documents of aliases are neither read to the end nor too many for a call', () => {
  const text = `tests:\n- &a {from: t/a, to: t/b:1, expect: allow}\n${'- *a\n'.repeat(9_000)}---\n`.repeat(
    18,
  );
  expect(() => readCaseFiles([{ file: 'aliases', text }], false)).toThrow('there are more than 10000 cases');
  const { faults } = readCases('documents', 'tests: 1\n---\n'.repeat(80_000), false);
  expect(faults.length).toBeLessThan(2_000);
});

test('the examples of the help and of the page are read', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/reference/cli.md'), 'utf8');
  const [, ofPage = ''] = /## sluice test\n.*?```yaml\n(.*?)```/s.exec(page) ?? [];
  const [, ofHelp = ''] = /list of them:\n\n(.*?)\n\n/s.exec(TEST_HELP) ?? [];
  for (const text of [ofPage, ofHelp.replace(/^ {2}/gm, '')]) {
    const { cases, faults } = readCases('example', text, false);
    expect(faults).toEqual([]);
    expect(cases.length).toBeGreaterThan(1);
  }
});

/** With ends and ports that are well-formed the schema and the reader agree. */
test.each([
  ['{"tests":[{"from":"a","to":"b:1","expect":"allow"}]}', true],
  [
    '{"$schema":"x","namespace":"shop","tests":[{"from":"a","to":"b","port":1,"expect":"deny","name":"n"}]}',
    true,
  ],
  ['{"tests":[{"from":"a","to":"b","port":"dns","protocol":"udp","expect":"deny"}]}', true],
  ['{"tests":[]}', false],
  ['{}', false],
  ['{"tests":[{"from":"a","to":"b:1"}]}', false],
  ['{"tests":[{"from":"a","to":"b:1","expect":"maybe"}]}', false],
  ['{"tests":[{"from":1,"to":"b:1","expect":"deny"}]}', false],
  ['{"tests":[{"from":"a","to":"b:1","expect":"deny","why":"x"}]}', false],
  ['{"namespace":"A","tests":[{"from":"a","to":"b:1","expect":"deny"}]}', false],
  ['{"tests":[{"from":"","to":"b:1","expect":"deny"}]}', false],
  ['{"tests":[{"from":"a","to":"b:1","protocol":"ICMP","expect":"deny"}]}', false],
])('%s: the schema of cases says what the reader says', (text, good) => {
  expect(schemaProblems('cases.v1.json', text).length === 0).toBe(good);
  expect(faultsOf(text).length === 0).toBe(good);
});
