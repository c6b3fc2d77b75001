import { expect, test } from 'vitest';
import { joinedRuns } from '../../../../cli/can/joined_runs.ts';

function texts(...runs: readonly (readonly [string, string])[]): readonly string[] {
  const joined = joinedRuns(runs.map(([first, last]) => ({ first, last })));
  return joined.map(({ first, last }) => `${first}-${last}`);
}

test('runs are in order of their numbers, IPv4 first', () => {
  expect(texts(['fd00::1', 'fd00::1'], ['10.0.0.10', '10.0.0.10'], ['10.0.0.9', '10.0.0.9'])).toEqual([
    '10.0.0.9-10.0.0.10',
    'fd00::1-fd00::1',
  ]);
  expect(texts(['10.0.0.100', '10.0.0.101'], ['10.0.0.20', '10.0.0.30'])).toEqual([
    '10.0.0.20-10.0.0.30',
    '10.0.0.100-10.0.0.101',
  ]);
});

test('three that go on are one', () => {
  expect(texts(['::4', '::7'], ['::', '::1'], ['::2', '::3'])).toEqual(['::-::7']);
});

test('the last address of IPv4 does not go on in IPv6', () => {
  expect(texts(['255.255.255.255', '255.255.255.255'], ['::1:0:0', '::1:0:0'])).toHaveLength(2);
});
