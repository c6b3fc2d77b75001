/** Findings as SARIF 2.1.0, which code scanning reads. Source: OASIS, "Static Analysis Results Interchange Format 2.1.0". */
import { VERSION } from '../../common/version.ts';
import type { ManifestFile, TextReplacement } from '../../sources/index.ts';
import type { Finding, Severity } from '../finding.ts';
import { mendsOf } from '../fix.ts';
import type { Rule } from '../rule.ts';
import { RULES } from '../rules/index.ts';
import { objectText, type Parted, type Suppressed } from '../suppress/index.ts';
import { createLinePlaces, literal, uriOf } from './sarif_text.ts';

const SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json';

const LEVELS: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', info: 'note' };

/** The whole log of one run. @param files for the fixes: what their texts are */
export function sarifLog({ findings, suppressed }: Parted, files: readonly ManifestFile[]) {
  const mends = new Map(mendsOf(findings, files).map(({ finding, replacements }) => [finding, replacements]));
  const texts = new Map(files.map(({ file, text }) => [file, text]));
  const places = new Map<string, LinePlaces>();
  const placesIn = (file: string): LinePlaces => {
    const known = places.get(file) ?? createLinePlaces(texts.get(file) ?? '');
    places.set(file, known);
    return known;
  };
  const changeOf = (finding: Finding) => {
    const replacements = mends.get(finding);
    const { file } = finding.object;
    if (replacements === undefined) return {};
    const fix = {
      description: { text: literal(finding.fix?.text ?? '') },
      artifactChanges: [
        {
          artifactLocation: { uri: uriOf(file) },
          replacements: replacements.map((one) => replacementOf(placesIn(file), one)),
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
          // Either all results say what suppresses them or none does; an empty list is nothing (3.27.23).
          ...findings.map((finding) => ({ ...resultOf(finding), suppressions: [], ...changeOf(finding) })),
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
    // No helpUri: SARIF wants an absolute address, and the pages are published nowhere.
    help: { text: `${remedy} \`sluice lint --explain ${code}\` says more.` },
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
            artifactLocation: { uri: uriOf(place.file) },
            region: { startLine: place.line, startColumn: place.column },
          },
        };
  return {
    ruleId: code,
    ruleIndex: RULES.findIndex((rule) => rule.code === code),
    level: LEVELS[severity],
    message: { text: literal(`${message}.${mended}`) },
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

type LinePlaces = ReturnType<typeof createLinePlaces>;

function replacementOf(placeOf: LinePlaces, { start, end, text: inserted }: TextReplacement) {
  const [from, to] = [placeOf(start), placeOf(end)];
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
