/** What a change of a table does not touch has the verdicts and the tags that it had. */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { createJudge, type Table } from '../../../policy/index.ts';

const STRANGERS = ['192.0.2.1', '10.0.0.1', '10.0.1.130', 'fd00::1', '2001:db8::1'];
const DIRECTIONS = ['ingress', 'egress'] as const;
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
const PORTS = [80, 81, 443];

/** All addresses that a table names, and some more. */
export function addressesOf(...tables: readonly Table[]): ReadonlySet<string> {
  return new Set([
    ...STRANGERS,
    ...tables.flatMap(({ subject, groups }) => [
      ...subject.ips,
      ...subject.nodeIPs,
      ...[...groups.values()].flatMap(({ members }) => [...members.keys()]),
    ]),
  ]);
}

/** @param touched the addresses that may have others; undefined: any address */
export function expectOthersUntouched(
  before: Table,
  after: Table,
  touched: ReadonlySet<string> | undefined,
): void {
  if (touched === undefined) return;
  const [was, is] = [createJudge(before), createJudge(after)];
  for (const address of addressesOf(before, after)) {
    if (touched.has(address)) continue;
    expect(is.tag(address)).toBe(was.tag(address));
    for (const direction of DIRECTIONS)
      for (const protocol of PROTOCOLS)
        for (const port of PORTS) {
          const [now, then] = [is, was].map((judge) => judge.judge(direction, address, protocol, port));
          // As `toEqual`, which is slow: it is asked where they differ, and then says how.
          if (!isDeepStrictEqual(now, then))
            expect([direction, address, now]).toEqual([direction, address, then]);
        }
  }
}
