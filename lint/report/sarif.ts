/** Findings as SARIF 2.1.0, which code scanning reads. Source: OASIS, "Static Analysis Results Interchange Format 2.1.0". */
import { VERSION } from '../../common/version.ts';
import type { ManifestFile, TextReplacement } from '../../sources/index.ts';
import type { Finding, Severity } from '../finding.ts';
import { mendsOf } from '../fix.ts';
import type { Rule } from '../rule.ts';
import { RULES } from '../rules/index.ts';
import { objectText, type Parted, type Suppressed } from '../suppress/index.ts';

const SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json';

/** Where each rule is explained: SARIF wants an absolute address. Nothing is published there yet; the help text says all. */
const PAGE = 'https://sluice.dev/lint/';

const LEVELS: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', info: 'note' };

/** The whole log of one run. @param files for the fixes: what their texts are */
export function sarifLog({ findings, suppressed }: Parted, files: readonly ManifestFile[]) {
  const mends = new Map(mendsOf(findings, files).map(({ finding, replacements }) => [finding, replacements]));
  const texts = new Map(files.map(({ file, text }) => [file, text]));
  const changeOf = (finding: Finding) => {
    const replacements = mends.get(finding);
    const text = texts.get(finding.object.file);
    if (replacements === undefined || text === undefined) return {};
    const fix = {
      description: { text: finding.fix?.text ?? '' },
      artifactChanges: [
        {
          artifactLocation: artifact(finding.object.file),
          replacements: replacements.map((one) => replacementOf(text, one)),
        },
      ],
    };
    return { fixes: [fix] };
  };
  return {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'sluice lint', version: VERSION, rules: RULES.map(descriptor) } },
        columnKind: 'utf16CodeUnits',
        results: [
          ...findings.map((finding) => ({ ...resultOf(finding), ...changeOf(finding) })),
          ...suppressed.map((one) => ({ ...resultOf(one.finding), suppressions: [suppressionOf(one)] })),
        ],
      },
    ],
  };
}

function descriptor({ code, severity, title, explanation, remedy }: Rule) {
  return {
    id: code,
    shortDescription: { text: title },
    fullDescription: { text: explanation },
    help: { text: remedy },
    helpUri: `${PAGE}${code}`,
    defaultConfiguration: { level: LEVELS[severity] },
  };
}

function resultOf(finding: Finding) {
  const { code, severity, message, place, fix } = finding;
  const mended = fix === undefined ? '' : ` Fix: ${fix.text}.`;
  const physical =
    place === undefined
      ? {}
      : {
          physicalLocation: {
            artifactLocation: artifact(place.file),
            region: { startLine: place.line, startColumn: place.column },
          },
        };
  return {
    ruleId: code,
    ruleIndex: RULES.findIndex((rule) => rule.code === code),
    level: LEVELS[severity],
    message: { text: `${message}.${mended}` },
    locations: [
      { ...physical, logicalLocations: [{ fullyQualifiedName: objectText(finding), kind: 'object' }] },
    ],
  };
}

function suppressionOf({ by, reason }: Suppressed) {
  return {
    kind: by === 'baseline' ? 'external' : 'inSource',
    ...(reason === undefined ? {} : { justification: reason }),
  };
}

function artifact(file: string) {
  return { uri: encodeURI(file).replaceAll('#', '%23').replaceAll('?', '%3F') };
}

function replacementOf(text: string, { start, end, text: inserted }: TextReplacement) {
  const [from, to] = [placeOf(text, start), placeOf(text, end)];
  return {
    deletedRegion: {
      startLine: from.line,
      startColumn: from.column,
      endLine: to.line,
      endColumn: to.column,
    },
    insertedContent: { text: inserted },
  };
}

/** Both from 1. */
function placeOf(text: string, offset: number) {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - (before.lastIndexOf('\n') + 1) + 1 };
}
