/** Case 28: over a path with a small MTU that loses packets, Sluice moves about as much as HAProxy. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Results } from '../../bench/report/results.ts';
import { run } from '../netns/command.ts';

const BENCH = join(import.meta.dirname, '../../bench/main.ts');

/** Runs of each path; their medians are compared. */
const ROUNDS = '9';

test('over a small MTU that loses packets, at least 0.9 of what HAProxy moves', async () => {
  const paths = ['sluice-splice', 'haproxy-splice'] as const;
  const argv = ['--quick', '--rounds', ROUNDS, '--only', 'lossy', '--paths', paths.join()];
  const { figures } = JSON.parse(await run([process.execPath, BENCH, ...argv], {}, 300_000)) as Results;
  const [sluice = 0, haproxy = 0] = paths.map((path) => figures[0]?.metrics[0]?.paths[path]?.median ?? 0);
  console.info(`${sluice} Gbit/s, ${haproxy} by HAProxy`);
  expect(haproxy).toBeGreaterThan(0);
  expect(sluice / haproxy).toBeGreaterThanOrEqual(0.9);
}, 320_000);
