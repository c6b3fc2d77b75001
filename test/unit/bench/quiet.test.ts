/** Whether others were at work on the machine, and what follows from that. */
import { expect, test } from 'vitest';
import { SecondTries } from '../../../bench/quiet/second_tries.ts';
import { othersShare, type ProcessTimes, readUsage, type Usage } from '../../../bench/quiet/usage.ts';

const INIT = 1;
const KERNEL = 2;
const BENCH = 10;
const SIDECAR = 11;
const NFT = 12;
const EDITOR = 20;
const COMPILER = 21;

const times = (parent: number, own: number, more: Partial<ProcessTimes> = {}): ProcessTimes => ({
  parent,
  own,
  startTime: 0,
  children: 0,
  ...more,
});

/** All of the machine after so many seconds. */
const usage = (
  seconds: number,
  processes: readonly (readonly [number, ProcessTimes])[],
  steal = 0,
): Usage => ({
  atMs: seconds * 1000,
  steal,
  processes: new Map(processes),
});

/** Of two processors, over one second, in which they have 200 ticks. */
const share = (before: Usage, after: Usage): number => othersShare(before, after, BENCH, 2);

test('what the benchmarks and their descendants use is not of others, and neither are threads of the kernel', () => {
  const before = usage(0, [
    [BENCH, times(INIT, 100)],
    [SIDECAR, times(BENCH, 50)],
    [3, times(KERNEL, 7)],
  ]);
  const after = usage(1, [
    [BENCH, times(INIT, 150, { children: 40 })],
    [SIDECAR, times(BENCH, 90)],
    [NFT, times(SIDECAR, 5)],
    [3, times(KERNEL, 70)],
  ]);
  expect(share(before, after)).toBe(0);
});

test('what a process of somebody else uses is', () => {
  const before = usage(0, [[EDITOR, times(INIT, 1000)]]);
  const after = usage(1, [[EDITOR, times(INIT, 1020)]]);
  expect(share(before, after)).toBeCloseTo(0.1);
});

test('so is one that began and ended in between, for which its parent has waited', () => {
  const before = usage(0, [[EDITOR, times(INIT, 1000)]]);
  const after = usage(1, [[EDITOR, times(INIT, 1000, { children: 40 })]]);
  expect(share(before, after)).toBeCloseTo(0.2);
});

test('a process that has ended counts with what it used in between, not with all that it had used', () => {
  const before = usage(0, [
    [EDITOR, times(INIT, 1000)],
    [COMPILER, times(EDITOR, 500)],
  ]);
  const after = usage(1, [[EDITOR, times(INIT, 1000, { children: 510 })]]);
  expect(share(before, after)).toBeCloseTo(0.05);
});

test('the end of one for which nobody waits hides nothing that others use', () => {
  const before = usage(0, [
    [EDITOR, times(INIT, 1000)],
    [COMPILER, times(INIT, 500)],
  ]);
  const after = usage(1, [[EDITOR, times(INIT, 1020)]]);
  expect(share(before, after)).toBeCloseTo(0.1);
});

test('a pid that is used again is another process', () => {
  const before = usage(0, [[COMPILER, times(INIT, 500)]]);
  const after = usage(1, [[COMPILER, times(INIT, 20, { startTime: 99 })]]);
  expect(share(before, after)).toBeCloseTo(0.1);
});

test('time that the host gave to other machines is of others', () => {
  expect(share(usage(0, [], 100), usage(1, [], 120))).toBeCloseTo(0.1);
});

test('this machine can be read: this process is there, with a parent and the time that it has used', () => {
  const known = readUsage().processes.get(process.pid);
  expect(known).toMatchObject({ parent: process.ppid });
  expect(known?.own).toBeGreaterThan(0);
});

/** Runs whose values say which they are. */
const runsWith = (...others: readonly number[]) => {
  const left = [...others];
  return async () => ({ value: others.length - left.length, others: left.shift() ?? 0 });
};

test('a quiet run counts, and is made once', async () => {
  const tries = new SecondTries(4);
  const run = runsWith(0.01, 0);
  expect(await tries.quietest(run, () => expect.fail('it was quiet'))).toMatchObject({ value: 0 });
  expect(tries.outcome).toEqual({ runs: 1, disturbed: 0, repeated: 0, most: 0.01 });
});

test('a disturbed run is made a second time, and the quieter of both counts', async () => {
  const tries = new SecondTries(8);
  const warnings: number[] = [];
  const warn = (share: number) => void warnings.push(share);
  expect(await tries.quietest(runsWith(0.5, 0.02), warn)).toMatchObject({ value: 1 });
  expect(await tries.quietest(runsWith(0.3, 0.6), warn)).toMatchObject({ value: 0 });
  expect(warnings).toEqual([0.5, 0.3]);
  expect(tries.outcome).toEqual({ runs: 2, disturbed: 1, repeated: 2, most: 0.3 });
});

test('a quarter of the runs may be made again', async () => {
  const tries = new SecondTries(4);
  const run = runsWith(0.5, 0.5, 0.5);
  await tries.quietest(run, () => undefined);
  await tries.quietest(run, () => expect.fail('no try is left'));
  expect(tries.outcome).toMatchObject({ runs: 2, disturbed: 2, repeated: 1 });
});
