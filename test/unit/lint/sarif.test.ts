import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { countBySeverity, type Finding, lintJson, sarifLog, withoutBaseline } from '../../../lint/index.ts';
import { temporaryDirectory } from '../../builders/cli_manifests.ts';
import { fileOf, lintFiles, SHOP } from './linting.ts';

const CORPUS = join(import.meta.dirname, 'corpus');
const FAULT = readFileSync(join(CORPUS, 'np004-service-port/fault.yaml'), 'utf8');

/** The published schema, of draft 4: what of it draft 7 reads otherwise is its name alone. */
const {
  id: _,
  $schema: __,
  ...schema
} = JSON.parse(
  readFileSync(
    join(
      import.meta.dirname,
      '../../../node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json',
    ),
    'utf8',
  ),
);

/** Characters of RFC 3986, appendix A; a first segment with a colon would be a scheme. */
const REFERENCE = /^(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?:[A-Za-z0-9\-._~!$&'()*+,;=@/?#:]|%[0-9A-F]{2})*$/;

const validate = new Ajv({
  strict: false,
  unicodeRegExp: false,
  allErrors: true,
  formats: { uri: URL.canParse, 'uri-reference': REFERENCE, 'date-time': true },
}).compile(schema);

/** What the schema has against a log, as it is written. */
function faultsOf(log: unknown): unknown {
  validate(JSON.parse(JSON.stringify(log)));
  return validate.errors ?? [];
}

async function logOf(paths: readonly string[]) {
  const { parted, manifests, findings } = await lintFiles(paths);
  const log = sarifLog(parted, manifests.files);
  return { log, results: log.runs.flatMap(({ results }) => results), parted, manifests, findings };
}

function uriOf({ locations }: Awaited<ReturnType<typeof logOf>>['results'][number]): string | undefined {
  return locations[0]?.physicalLocation?.artifactLocation.uri;
}

test('the log of all faults of the corpus is as the schema of SARIF 2.1.0 says', async () => {
  const { log, results } = await logOf([CORPUS]);
  expect(results.length).toBeGreaterThan(20);
  expect(faultsOf(log)).toEqual([]);
});

test('so is a log without findings, and one of what a baseline has', async () => {
  expect(faultsOf((await logOf([SHOP])).log)).toEqual([]);
  const { parted, manifests, findings } = await logOf([SHOP, fileOf(FAULT)]);
  const baseline = JSON.stringify(lintJson(parted, 1, countBySeverity(findings)));
  const log = sarifLog(withoutBaseline(parted, baseline, 'baseline.json'), manifests.files);
  expect(faultsOf(log)).toEqual([]);
  expect(log.runs[0]?.results.map(({ suppressions }) => suppressions)).toEqual([[{ kind: 'external' }]]);
});

test('either every result says what suppresses it or none does', async () => {
  const suppressed = fileOf(
    FAULT.replace('metadata:', 'metadata:\n  annotations: {sluice.dev/lint-ignore: "NP004 meant"}'),
    'meant.yaml',
  );
  const { results } = await logOf([SHOP, fileOf(FAULT.replace('name: web', 'name: other')), suppressed]);
  expect(results.length).toBeGreaterThan(1);
  const said = results.map(({ suppressions }) => suppressions);
  expect(said.slice(0, -1)).toEqual(said.slice(0, -1).map(() => []));
  expect(said.at(-1)).toEqual([{ kind: 'inSource', justification: 'meant' }]);
});

test('a file has an absolute address where it was named by one', async () => {
  const file = fileOf(FAULT, 'a b#c?d%e:[1].yaml');
  const { log, results } = await logOf([SHOP, file]);
  expect(faultsOf(log)).toEqual([]);
  expect(results.map(uriOf)).toEqual([pathToFileURL(file).href]);
});

test('a name with a colon is no address of another scheme', async () => {
  const folder = temporaryDirectory();
  mkdirSync(join(folder, 'k8s'));
  writeFileSync(join(folder, 'k8s/web ü#1.yaml'), FAULT);
  const { parted, manifests } = await logOf([SHOP, join(folder, 'k8s/web ü#1.yaml')]);
  // As of a git revision.
  const named = parted.findings.map(
    (finding): Finding =>
      finding.place === undefined
        ? finding
        : { ...finding, place: { ...finding.place, file: 'main:k8s/web ü#1.yaml' } },
  );
  const log = sarifLog({ findings: named, suppressed: [] }, manifests.files);
  expect(faultsOf(log)).toEqual([]);
  expect(log.runs[0]?.results.map(uriOf)).toEqual(['main%3Ak8s/web%20%C3%BC%231.yaml']);
});

test('columns count UTF-16 units, and lines end as in the file', async () => {
  const emoji = FAULT.replace(/- protocol: TCP\s+port: 80/, '- {"\u{1f6aa}": 1, port: 80}').replaceAll(
    '\n',
    '\r\n',
  );
  const { results, findings } = await logOf([SHOP, fileOf(emoji)]);
  const index = findings.findIndex(({ code }) => code === 'NP004');
  const line = emoji.split('\n')[11] ?? '';
  const at = line.indexOf('80') + 1;
  expect(results[index]).toMatchObject({
    fixes: [
      {
        artifactChanges: [
          {
            replacements: [
              {
                deletedRegion: { startLine: 12, startColumn: at, endLine: 12, endColumn: at + 2 },
                insertedContent: { text: 'http' },
              },
            ],
          },
        ],
      },
    ],
  });
  expect(results[index]?.locations[0]?.physicalLocation?.region).toEqual({
    startLine: 12,
    startColumn: at,
  });
});

test('a message has no placeholders and no links of its own', async () => {
  const { parted, manifests } = await logOf([SHOP, fileOf(FAULT)]);
  const findings = parted.findings.map((finding) => ({
    ...finding,
    message: 'wants {0}, not [here](1)',
    fix: { text: 'podSelector: {}' },
  }));
  const log = sarifLog({ findings, suppressed: [] }, manifests.files);
  expect(log.runs[0]?.results.map(({ message }) => message.text)).toEqual([
    'wants {{0}}, not [here\\](1). Fix: podSelector: {{}}.',
  ]);
});
