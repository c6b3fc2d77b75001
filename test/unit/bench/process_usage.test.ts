import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import {
  mainThreadSeconds,
  privateBytes,
  proportionalBytes,
  residentBytes,
} from '../../../bench/process_usage.ts';

test('private memory has what the process has written, and not the pages of its files', () => {
  const before = privateBytes(process.pid);
  const written = Buffer.alloc(64 * 1024 * 1024, 1);
  const after = privateBytes(process.pid);
  expect(after - before).toBeGreaterThan(written.length / 2);
  expect(residentBytes(process.pid) - after).toBeGreaterThan(20 * 1024 * 1024); // the text of Node
});

test('proportional memory has what is private, and a part of what is shared with others', async () => {
  const idle = spawn('sleep', ['60']);
  try {
    await once(idle, 'spawn');
    const { pid = 0 } = idle;
    await expect.poll(() => proportionalBytes(pid)).toBeGreaterThan(0);
    await expect.poll(() => proportionalBytes(pid)).toBeGreaterThanOrEqual(privateBytes(pid));
    // Most of its pages are the C library's.
    await expect.poll(() => proportionalBytes(pid)).toBeLessThan(residentBytes(pid));
  } finally {
    idle.kill();
  }
});

test("the main thread's time grows while it works", () => {
  const startedAt = performance.now();
  const before = mainThreadSeconds(process.pid);
  while (performance.now() < startedAt + 100);
  expect(mainThreadSeconds(process.pid)).toBeGreaterThan(before);
});
