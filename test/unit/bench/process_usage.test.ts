import { expect, test } from 'vitest';
import { privateBytes, residentBytes } from '../../../bench/process_usage.ts';

test('private memory has what the process has written, and not the pages of its files', () => {
  const before = privateBytes(process.pid);
  const written = Buffer.alloc(64 * 1024 * 1024, 1);
  const after = privateBytes(process.pid);
  expect(after - before).toBeGreaterThan(written.length / 2);
  expect(residentBytes(process.pid) - after).toBeGreaterThan(20 * 1024 * 1024); // the text of Node
});
