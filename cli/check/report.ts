/** What `sluice check` prints: findings, a workload's together, and what was not looked at. */
import { docsPlace } from '../../common/docs_place.ts';
import { firstFew } from '../../common/first_few.ts';
import { type Lines, line } from '../lines.ts';
import { type Cost, costJson } from './cost.ts';
import type { Finding } from './finding.ts';

/** Names the form of the JSON: docs/schema/check.v1.json. */
const CHECK_SCHEMA = 'sluice.dev/check/v1';

/** Pods of a workload that are named; more are only counted. */
const PODS_NAMED = 3;

/** What one run has found. */
export interface Report {
  readonly findings: readonly Finding[];
  readonly cost?: Cost;
  /** A sentence each. */
  readonly notLookedAt: readonly string[];
}

/** One finding for all pods of a workload of which the same is to be said, where the first of them stood. */
export function byWorkload(findings: readonly Finding[]): readonly Finding[] {
  const groups = Map.groupBy(findings, ({ of, level, code, message }, at) =>
    of?.pod === undefined ? at : JSON.stringify([of.workload, level, code, message]),
  );
  return [...groups.values()].flatMap(([first, ...others]) => {
    if (first === undefined) return [];
    const pods = [first, ...others].flatMap(({ of }) => of?.pod ?? []);
    return [isPodItself(first) || pods.length === 0 ? first : { ...first, pods }];
  });
}

/** A pod that belongs to nothing is its own workload. */
function isPodItself({ subject }: Finding): boolean {
  return subject.startsWith('pod ');
}

const COLORS = { ok: 'green', warning: 'yellow', error: 'red' } as const;

/**
 * As people read it: a line each, what to paste, and where more is said.
 * @param headers with what was not looked at, which is no finding
 */
export function reportLines({ findings, notLookedAt }: Report, headers: boolean): readonly Lines[] {
  const lines = findings.flatMap((finding): Lines[] => {
    const { level, code, subject, pods, message, commands = [] } = finding;
    const head = [code, `${subject}${podsText(pods)}: ${message}`].filter((part) => part !== undefined);
    return [
      line(`${' '.repeat(LEVEL_WIDTH - level.length)}  ${head.join('  ')}`, {
        format: COLORS[level],
        word: level,
      }),
      ...commands.map((command) => line(`${INDENT}run  ${command}`)),
      ...(code === undefined
        ? []
        : [line(`${INDENT}see  ${docsPlace('check', code)}, or sluice check --explain ${code}`)]),
    ];
  });
  return headers ? [...lines, ...notLookedAt.map((what) => line(`not looked at: ${what}`))] : lines;
}

const LEVEL_WIDTH = 'warning'.length;

/** Below the code. */
const INDENT = ' '.repeat(LEVEL_WIDTH + 2);

function podsText(pods: readonly string[] = []): string {
  if (pods.length === 0) return '';
  return ` (${pods.length === 1 ? 'pod' : `${pods.length} pods:`} ${firstFew(pods, PODS_NAMED)})`;
}

/** The same for programs. */
export function reportJson({ findings, cost, notLookedAt }: Report) {
  return {
    schema: CHECK_SCHEMA,
    findings: findings.map(({ level, code, subject, message, commands, pods }) => ({
      level,
      ...(code === undefined ? {} : { code, docs: docsPlace('check', code) }),
      subject,
      ...(pods === undefined ? {} : { pods }),
      message,
      ...(commands === undefined ? {} : { commands }),
    })),
    ...(cost === undefined ? {} : { cost: costJson(cost) }),
    not_looked_at: notLookedAt,
  };
}
