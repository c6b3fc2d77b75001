/** What `sluice connections` prints for people. */
import { addressPortText } from '../../common/net.ts';
import { type Lines, line } from '../lines.ts';
import { tableRows } from '../terminal/index.ts';
import { spanText } from '../times.ts';
import type { ConnectionData } from './rows.ts';

/** What the table is printed with. */
export interface TableOptions {
  readonly wide: boolean;
  readonly headers: boolean;
  readonly limit: number;
  readonly nowMs: number;
}

/** @param pods how many were asked */
export function connectionLines(
  all: readonly ConnectionData[],
  pods: number,
  { wide, headers, limit, nowMs }: TableOptions,
): readonly Lines[] {
  const shown = all.slice(0, limit);
  const cells = shown.map((one) => {
    const { pod, workload, src, dst, since, state, path, bytes_from_source: from, bytes_to_source: to } = one;
    const peer = addressPortText(src);
    return [
      wide ? `${pod} (${workload})` : pod,
      src.pod === undefined ? peer : wide ? `${src.pod} (${src.workload ?? '-'}) ${peer}` : src.pod,
      `TCP/${dst.port}`,
      spanText(Math.max(0, nowMs - Date.parse(since))),
      bytesText(from),
      bytesText(to),
      wide ? `${state}, ${path}` : state,
      ruleText(one),
    ];
  });
  const head = ['POD', 'FROM', 'PORT', 'AGE', 'RECEIVED', 'SENT', 'STATE', 'RULE'];
  const rows = shown.length === 0 ? [] : tableRows(headers ? [head, ...cells] : cells);
  const body = rows.map((text): Lines => ({ text: `${text}\n` }));
  if (!headers) return body;
  const more = all.length > shown.length ? `; the oldest ${shown.length} are shown (--limit)` : '';
  const count =
    all.length === 0 ? 'no connections' : all.length === 1 ? '1 connection' : `${all.length} connections`;
  return [...body, line(`${count} into ${pods === 1 ? '1 pod' : `${pods} pods`}${more}`)];
}

/** Policies are of the pod's namespace. */
function ruleText({ policy, rule, reason }: ConnectionData): string {
  if (policy === undefined) return reason === 'not-isolated' ? 'not isolated' : reason;
  return `${policy.slice(policy.indexOf('/') + 1)} ingress[${rule ?? '?'}]`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** `0 B`, `1.2 kB`, `34 MB`: powers of 1,000. */
export function bytesText(bytes: number): string {
  let [value, at] = [bytes, 0];
  while (value >= 999.5 && at < UNITS.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${at > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[at]}`;
}
