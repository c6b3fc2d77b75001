/** Rules that came near, for people and as data. */
import { stringify } from 'yaml';
import { firstFew } from '../../common/first_few.ts';
import { describeHint, objectKey } from '../../policy/index.ts';
import { describePlace, type Place } from '../../sources/index.ts';
import type { NearRule, PlacedTest } from './near_rules.ts';

/** Workloads that are named, for which a fix holds too; more are only counted. */
const MAX_OTHERS = 4;

/** The same in JSON. */
const MAX_OTHERS_JSON = 100;

/** The lines about them, and the first fix. Empty where there is none. */
export function nearLines(rules: readonly NearRule[]): string {
  const lines = rules.flatMap(({ miss, place, tests }, at) => [
    `  ${at === 0 ? 'nearest' : 'then   '} ${objectKey(miss.policy.namespace, miss.policy.name)} ${miss.direction}[${miss.rule}]${placeText(place)}`,
    ...tests.map((test) => `    ${testText(test)}`),
  ]);
  const fixed = rules.find(({ fix }) => fix !== undefined);
  if (fixed?.fix === undefined) return lines.map((line) => `${line}\n`).join('');
  const { policy, direction, rule } = fixed.miss;
  const yaml = fixText(fixed.fix).trimEnd().split('\n');
  const others = fixed.alsoFor ?? [];
  return [
    ...lines,
    `  fix     ${objectKey(policy.namespace, policy.name)} spec.${direction}[${rule}] as`,
    ...yaml.map((line) => `    ${line}`),
    ...(others.length === 0
      ? []
      : [
          `  also    for ${firstFew(others, MAX_OTHERS)}, which ${objectKey(policy.namespace, policy.name)} selects too`,
        ]),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function testText(test: PlacedTest): string {
  const { wanted, got, place } = test;
  const hint = describeHint(test);
  return `${wanted} wanted, got ${got}${placeText(place)}${hint === undefined ? '' : `: ${hint}`}`;
}

function placeText(place: Place | undefined): string {
  return place === undefined ? '' : ` (${describePlace(place)})`;
}

/** A list of rules, which can stand where the rule does. */
function fixText(fix: readonly Readonly<Record<string, unknown>>[]): string {
  return stringify(fix, { lineWidth: 0 });
}

/** A rule that came near, in JSON. */
export interface NearRuleJson extends Partial<PlaceJson> {
  readonly policy: string;
  readonly direction: string;
  readonly rule: number;
  readonly tests: readonly (Partial<PlaceJson> & {
    readonly failed: string;
    readonly wanted: string;
    readonly got: string;
    readonly meant?: PlacedTest['meant'];
  })[];
  /** YAML: a list of what takes the place of the rule. */
  readonly fix?: string;
  /** Other workloads that the policy selects, and that the fix holds for as well, such as `deploy/web`: the first 100. */
  readonly fix_also_for?: readonly string[];
  /** How many there are besides; absent where all are named. */
  readonly fix_also_for_more?: number;
}

interface PlaceJson {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Plain data for `JSON.stringify`. */
export function nearJson(rules: readonly NearRule[]): readonly NearRuleJson[] {
  return rules.map(({ miss, place, tests, fix, alsoFor = [] }) => ({
    policy: objectKey(miss.policy.namespace, miss.policy.name),
    direction: miss.direction,
    rule: miss.rule,
    ...place,
    tests: tests.map(({ failed, wanted, got, meant, place: at }) => ({
      failed,
      wanted,
      got,
      ...(meant === undefined ? {} : { meant }),
      ...at,
    })),
    ...(fix === undefined ? {} : { fix: fixText(fix) }),
    ...(alsoFor.length === 0 ? {} : { fix_also_for: alsoFor.slice(0, MAX_OTHERS_JSON) }),
    ...(alsoFor.length <= MAX_OTHERS_JSON ? {} : { fix_also_for_more: alsoFor.length - MAX_OTHERS_JSON }),
  }));
}
