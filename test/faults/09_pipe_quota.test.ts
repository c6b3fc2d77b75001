/**
 * Case 9: given the user's pipe quota spent, when a new bulk flow starts, then it runs in copy mode, and every byte arrives. The relay
 * is driven from C, by a user whom the quota binds: root is exempt from it, and Node cannot give up a capability.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { enterOwnNamespace, redirectTo } from '../netns/tools/own_namespace.ts';
import { buildRelayDriver } from '../netns/tools/relay_driver.ts';

const INBOUND_PORT = 15_006;
const TIMEOUT_MS = 90_000;

const folder = mkdtempSync(join(tmpdir(), 'sluice-pipes-'));
const driver = join(folder, 'driver');

beforeAll(() => {
  enterOwnNamespace();
  redirectTo(INBOUND_PORT);
  buildRelayDriver(driver, ['-O2']);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test(
  'with the pipe quota spent bulk flows are copied, and every byte arrives',
  () => {
    // The driver holds pipes until one of 64 KiB is refused. Its clients compare what comes back, byte for byte: `wrong` counts.
    const { status, stdout, stderr } = spawnSync(driver, ['no-pipes'], {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
    });
    expect(stderr).toBe('');
    expect(stdout).toMatch(
      /^480 accepted, 480 ended, [1-9]\d* completed, 0 wrong; 0 splices done, 0 refused; 0 pipe ends left/,
    );
    expect(status).toBe(0);
  },
  TIMEOUT_MS,
);
