/**
 * Case 31. Given a namespace with policies of each costly shape, as large as they may be and larger, edited ten times a second,
 * with clients that say nothing and others that never stop asking, then other namespaces notice little: 99 of 100 changes reach
 * their sidecars within 250 ms of when they would have, the webhook answers within a second, and the injector stays within its memory. Real
 * connections over TLS; `npm run hostile` is the same at full size.
 */
import { expect, test } from 'vitest';
import { type HostileResult, isLittle, runHostile } from '../../bench/control_plane/hostile_namespace.ts';
import { freePorts } from '../support/free_ports.ts';

const SIZE = {
  quiet: 100,
  pods: 1_050,
  hostilePods: 50,
  pipelining: 10,
  silent: 500,
  editsPerSecond: 10,
  changesPerSecond: 20,
  seconds: 8,
};

/** The best of these counts for times: one machine of two processors is the injector and all pods. */
const ROUNDS = 3;

const QUIET_P99_MS = 250;
const WEBHOOK_MOST_MS = 1_000;

/** Processor time; where processors are shared it has less of their caches. One policy is read in a turn, of 30 ms and more. */
const LONGEST_TURN_MS = 200;

/** The limit in manifests/base/deployment.yaml. */
const MEMORY_BYTES = 1024 ** 3;

/** Of each shape one policy is too large by itself, and together the others are too large for a namespace. */
const LEAST_REFUSED = 5;

test('one namespace that does what it can: the others have their changes in 250 ms', async () => {
  const results: HostileResult[] = [];
  const isQuick = (result: HostileResult) =>
    isLittle(result, { quietP99Ms: QUIET_P99_MS, webhookMs: WEBHOOK_MOST_MS }) &&
    result.longestTurnMs < LONGEST_TURN_MS;
  while (results.length < ROUNDS && !results.some(isQuick)) {
    const [tables = 0, webhook = 0] = await freePorts(2);
    const result = await runHostile(SIZE, { tables, webhook });
    process.stdout.write(`${JSON.stringify(result)}\n`);
    results.push(result);
  }
  for (const result of results) {
    expect(result).toMatchObject({ isAlive: true, missed: 0, reconnects: 0, webhookFailures: 0 });
    expect(result.quietMs.count).toBeGreaterThan(0);
    expect(result.refused).toBeGreaterThanOrEqual(LEAST_REFUSED);
    expect(result.residentBytes.most).toBeLessThan(MEMORY_BYTES);
  }
  expect(results.map(isQuick)).toContain(true);
});
