/** What several descriptions have: tables of rules, findings, how far it is in force. */

import type { InForceData } from '../../in_force/index.ts';
import { type Lines, line } from '../../lines.ts';
import { counted, type Listed } from '../../listed.ts';
import { tableText } from '../../terminal/index.ts';
import type { DnsData, FindingData, RuleData } from '../description.ts';
import type { Amount } from './amount.ts';
import { nowText, peerText, placeText, portsText, ruleText } from './words.ts';

/** Lines of a table, and names of a line, that text has; what is more is counted. */
const ROWS = { text: 30, wide: 500 } as const;
const NAMES = { text: 3, wide: 10 } as const;

/** How many lines of a table. */
export function rowsOf({ wide }: Amount): number {
  return ROWS[wide ? 'wide' : 'text'];
}

/** How many names of a line. */
export function namesOf({ wide }: Amount): number {
  return NAMES[wide ? 'wide' : 'text'];
}

/** What is said where a list is longer than what was printed of it. */
export function moreLine(count: number, shown: number, word: string, plural?: string): readonly Lines[] {
  return count > shown
    ? [line(`  and ${counted(count - shown, `more ${word}`, plural && `more ${plural}`)}`)]
    : [];
}

/** A table of rules: a line for each peer. */
export function ruleLines(rules: Listed<RuleData>, head: 'FROM' | 'TO', amount: Amount): readonly Lines[] {
  const rows: (readonly string[])[] = [];
  const most = rowsOf(amount);
  let shown = 0;
  for (const rule of rules.first) {
    if (rows.length >= most) break;
    shown += 1;
    const left = rule.peers.first.slice(0, most - rows.length);
    for (const peer of left)
      rows.push([
        `  ${peerText(peer)}`,
        portsText(rule.ports),
        `${ruleText(rule)}${amount.wide ? placeText(rule) : ''}`,
        nowText(peer, namesOf(amount)),
      ]);
    if (rule.peers.count > left.length)
      rows.push([`  ${counted(rule.peers.count - left.length, 'more peer')}`, '', ruleText(rule), '']);
  }
  return [
    { text: tableText([[`  ${head}`, 'PORTS', 'BY', 'WHO THAT IS NOW'], ...rows]) },
    ...moreLine(rules.count, shown, 'rule'),
  ];
}

const COLORS = { error: 'red', warning: 'yellow', info: 'dim' } as const;

/** What lint finds, a line each. */
export function findingLines(findings: Listed<FindingData>, amount: Amount): readonly Lines[] {
  const shown = findings.first.slice(0, amount.wide ? findings.first.length : FINDINGS);
  const lines = shown.map((finding): Lines => {
    const fix = finding.fix === undefined ? '' : `; fix: ${finding.fix.text}`;
    return line(` ${finding.message}${placeText(finding)}${fix}`, {
      format: COLORS[finding.severity],
      word: `  ! ${finding.code}`,
    });
  });
  return [...lines, ...moreLine(findings.count, shown.length, 'finding')];
}

/** Findings that text has. */
const FINDINGS = 10;

/** Pods that are not in force, by name and reason. */
const NOT_IN_FORCE = 5;

/** How far it is in force. */
export function inForceLines(inForce: InForceData, amount: Amount): readonly Lines[] {
  if (!inForce.known) return [line(`in force  not known: ${inForce.reason}`)];
  const { pods, in_force: enforcing, not_in_force: not, not_known: unknown, revision } = inForce;
  const table = revision === undefined ? '' : ` (revision ${revision})`;
  const most = amount.wide ? not.first.length + unknown.first.length : NOT_IN_FORCE;
  const listed = [
    ...not.first.map((one) => `  not in force at ${one.pod}: ${one.why}`),
    ...unknown.first.map((one) => `  not known of ${one.pod}: ${one.why}`),
  ].slice(0, most);
  const format = not.count > 0 ? 'red' : unknown.count > 0 ? 'yellow' : 'green';
  return [
    line(`  at ${enforcing} of ${counted(pods, 'pod')}${table}`, { format, word: 'in force' }),
    ...listed.map((text) => line(text)),
    ...moreLine(not.count + unknown.count, listed.length, 'pod'),
  ];
}

/** Whether names can be asked for. */
export function dnsLine({ admitted, server, known }: DnsData): Lines {
  const where = known ? server : `${server}, the usual one: no name server was read`;
  return admitted
    ? line(`  DNS (${where}) is admitted`)
    : line(` DNS (${where}) is not admitted: names do not resolve`, { format: 'red', word: '  ! NP008' });
}
