import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import schema from '../../../docs/schema/lint.v1.json' with { type: 'json' };
import {
  countBySeverity,
  explainRule,
  findingLines,
  githubLines,
  lintJson,
  RULES,
  reaches,
  sarifLog,
} from '../../../lint/index.ts';
import { fileOf, lintFiles, SHOP } from './linting.ts';

const FAULT = readFileSync(join(import.meta.dirname, 'corpus/np004-service-port/fault.yaml'), 'utf8');

async function look() {
  const file = fileOf(FAULT);
  return { file, ...(await lintFiles([SHOP, file])) };
}

test('text has place, severity, code and what would mend it', async () => {
  const { file, findings } = await look();
  expect(findingLines(findings)).toEqual([
    {
      place: `${file}:13:13`,
      severity: 'error',
      word: 'error  ',
      said: 'NP004  shop/web: port 80: no pod listens there; Service web maps 80 to http (8080); fix: port: http',
    },
  ]);
});

test('json has the fields of its schema', async () => {
  const { findings, parted } = await look();
  const json = lintJson(parted, 2, countBySeverity(findings));
  const check = new Ajv2020().compile(schema);
  check(JSON.parse(JSON.stringify(json)));
  expect(check.errors ?? []).toEqual([]);
  const { properties } = schema.$defs.finding;
  for (const finding of json.findings)
    expect(Object.keys(properties)).toEqual(expect.arrayContaining(Object.keys(finding)));
});

test('sarif has rules, places from 1, and what to replace by what', async () => {
  const { file, parted, manifests } = await look();
  const [run] = sarifLog(parted, manifests.files).runs;
  expect(run?.tool.driver.rules.map(({ id }) => id)).toEqual(RULES.map(({ code }) => code));
  expect(run?.results).toEqual([
    expect.objectContaining({
      ruleId: 'NP004',
      ruleIndex: 3,
      level: 'error',
      fixes: [
        expect.objectContaining({
          artifactChanges: [
            {
              artifactLocation: { uri: pathToFileURL(file).href },
              replacements: [
                {
                  deletedRegion: { startLine: 13, startColumn: 13, endLine: 13, endColumn: 15 },
                  insertedContent: { text: 'http' },
                },
              ],
            },
          ],
        }),
      ],
    }),
  ]);
});

test('annotations of a workflow escape what would end them', async () => {
  const { findings } = await look();
  const [finding] = findings;
  const place = { file: 'a,b:c%.yaml', line: 3, column: 4 };
  const lines = githubLines(finding === undefined ? [] : [{ ...finding, place, message: '50%\nrest' }]);
  expect(lines).toBe(
    '::error file=a%2Cb%3Ac%25.yaml,line=3,col=4,title=NP004::50%25%0Arest; fix: port: http\n',
  );
});

test('a level is reached by what is as bad or worse', async () => {
  const { findings } = await look();
  const [finding] = findings;
  const of = (severity: 'error' | 'warning' | 'info') =>
    finding === undefined ? [] : [{ ...finding, severity }];
  expect([
    reaches(of('error'), 'error'),
    reaches(of('warning'), 'error'),
    reaches(of('info'), 'info'),
  ]).toEqual([true, false, true]);
  expect(reaches([], 'info')).toBe(false);
});

test('each rule is explained, with what to do and how to suppress it', () => {
  for (const rule of RULES) {
    const text = explainRule(rule);
    expect(text).toContain(rule.title);
    expect(text).toContain(`# sluice-lint: ignore ${rule.code}`);
  }
});

test('policies without any workload are quiet', async () => {
  const policies = readFileSync(SHOP, 'utf8')
    .split('---\n')
    .filter((text) => text.includes('kind: NetworkPolicy'));
  const more = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: elsewhere}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {app: b}}}]
    ports: [{port: 80}, {port: http}]
  egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]
`;
  const { findings } = await lintFiles([fileOf([...policies, more].join('---\n'))]);
  expect(findings.map(({ code }) => code)).toEqual([]);
});
