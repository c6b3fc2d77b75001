/** The addon under sanitizers, driven from C: clients and apps that end in every way, more of them than Node can be. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { enterOwnNamespace, redirectTo } from './tools/own_namespace.ts';
import { buildDestroyDriver, buildRelayDriver } from './tools/relay_driver.ts';

const INBOUND_PORT = 15_006;
const TIMEOUT_MS = 90_000;

const folder = mkdtempSync(join(tmpdir(), 'sluice-sanitizers-'));

beforeAll(() => {
  enterOwnNamespace();
  redirectTo(INBOUND_PORT);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(['address,undefined', 'thread'])('under the sanitizers %s', (sanitizers) => {
  const driver = join(folder, `driver-${sanitizers}`);
  const destroyer = join(folder, `destroyer-${sanitizers}`);

  beforeAll(() => {
    const flags = [
      '-g',
      '-O1',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-fno-omit-frame-pointer',
      `-fsanitize=${sanitizers}`,
      '-fno-sanitize-recover=all',
    ];
    buildRelayDriver(driver, flags);
    buildDestroyDriver(destroyer, flags);
  });

  test('sockets are found and destroyed from several threads at once, each with its own result', () => {
    const { status, stdout, stderr } = spawnSync('setarch', ['--addr-no-randomize', destroyer], {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
    });
    expect(stderr).toBe('');
    expect(stdout).toBe('600 found, 300 destroyed, 300 gone, 300 reset\n');
    expect(status).toBe(0);
  });

  test.each([
    [
      'flows that end in every way carry all that they should, and none has a large pipe',
      'ends',
      /[1-9]\d* splices done, 0 refused; .*; 0 of large ones at once$/m,
    ],
    ['so they do where splice answers EINVAL', 'no-splice', /\b0 splices done, [1-9]\d* refused/],
    ['so they do where pipes come too small', 'no-pipes', /\b0 splices done, 0 refused/],
    [
      'connections that wait when it is to stop accepting are served',
      'last',
      /^96 accepted, 96 ended, 96 completed/,
    ],
    [
      'more bulk than there are large pipes has those, and the usual ones',
      'large',
      /^12 accepted, 12 ended, 12 completed, .*; ([1-9]|1[0-6]) of large ones at once$/m,
    ],
    [
      'so it does where the quota is enough for a few pipes',
      'few-large',
      /^12 accepted, 12 ended, 12 completed, .*; [0-4] of large ones at once$/m,
    ],
    ['an answer arrives whole though the app resets after it', 'answers', /splices done, 0 refused/],
  ] as const)(
    '%s',
    (_, mode, splices) => {
      // ThreadSanitizer maps its shadow at fixed addresses: without randomization these are free on every kernel.
      const { status, stdout, stderr } = spawnSync('setarch', ['--addr-no-randomize', driver, mode], {
        encoding: 'utf8',
        timeout: TIMEOUT_MS,
      });
      expect(stderr).toBe('');
      expect(stdout).toMatch(/accepted, .* 0 wrong.* 0 pipe ends left/);
      expect(stdout).toMatch(splices);
      expect(status).toBe(0);
    },
    TIMEOUT_MS,
  );
});
