/** 33: the disk of the collected flows is full. Nothing but flows suffers, each is stored or counted, and it comes back by itself. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FlowStore } from '../../injector/collector/store/index.ts';

const NOON = Date.parse('2026-11-30T12:00:00Z');
const DAY_MS = 86_400_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder]);
});
afterEach(() => {
  execFileSync('umount', [folder]);
  rmSync(folder, { recursive: true });
});

test('a store on a full disk waits and counts, and goes on when there is place', () => {
  let lost = 0;
  const changes: (string | undefined)[] = [];
  const store = new FlowStore({
    folder: join(folder, 'flows'),
    keptMs: { minutes: DAY_MS, hours: 30 * DAY_MS },
    maxBytes: 100_000_000,
    saidOf: () => undefined,
    lost: (where, flows) => {
      if (where === 'minutes') lost += flows;
    },
    changed: (problem) => changes.push(problem),
    unwritten: { maxSums: 500, maxEvents: 10 },
    retryMs: 1_000,
  });
  let [sent, nowMs] = [0, NOON];
  const send = (): void => {
    for (let edge = 0; edge < 200; edge += 1) {
      const sums = {
        srcPod: '',
        dstPod: '',
        first: nowMs,
        last: nowMs,
        flows: 3,
        packets: 0,
        sent: 1,
        received: 1,
      };
      store.add(nowMs, `edge ${nowMs} ${edge} ${'x'.repeat(100)}`, sums);
      sent += 3;
    }
    store.flush(nowMs);
    nowMs += 1_000;
  };
  const read = (): number => {
    let flows = 0;
    for (const part of store.read('minutes', 0, NOON + DAY_MS))
      for (const [, sums] of part) flows += sums.flows;
    return flows;
  };

  send();
  expect(store.problem).toBeUndefined();
  const ballast = join(folder, 'ballast');
  try {
    writeFileSync(ballast, Buffer.alloc(4 * 1024 * 1024));
  } catch {
    // It fills the disk.
  }
  for (let round = 0; round < 30; round += 1) send();
  expect(changes).toEqual([expect.stringMatching(/full|disk I\/O/)]);
  expect(lost).toBeGreaterThan(0);
  expect(read() + lost).toBe(sent);

  rmSync(ballast);
  const before = lost;
  store.flush(nowMs);
  expect(changes.at(-1)).toBeUndefined();
  nowMs += 1_000;
  send();
  expect(store.problem).toBeUndefined();
  expect(lost).toBe(before);
  expect(read() + lost).toBe(sent);
  const [[, counted] = [undefined, 0]] = [...store.lost('minutes', 0, NOON + DAY_MS)];
  expect(counted).toBe(lost);
  store.close(nowMs);
}, 60_000);
