/** `sluice check --node`: what is said of this machine's kernel, and what is not taken with it. */
import { describe, expect, test } from 'vitest';
import { readCheckCommand } from '../../../../cli/check/check_options.ts';
import { checkMachine } from '../../../../cli/check/machine_check.ts';

describe('sluice check --node', () => {
  test('says that the kernel ends connections', async () => {
    expect(await checkMachine(async () => undefined)).toEqual([
      {
        level: 'ok',
        subject: 'this machine',
        message:
          'its kernel ends TCP connections, as the direct path needs; a pod with sluice.dev/path tries the rest when it starts',
      },
    ]);
  });

  test('says why it cannot, or why that is not known, and warns only', async () => {
    const failing = async () => Promise.reject(new Error('the addon does not load\nat x'));
    for (const [problem, said] of [
      [async () => 'that needs NET_ADMIN', /that needs NET_ADMIN\. Run this as root, on a node/],
      [failing, /the addon does not load\. Run this as root, /],
    ] as const)
      expect(await checkMachine(problem)).toEqual([
        { level: 'warning', subject: 'this machine', message: expect.stringMatching(said) },
      ]);
  });

  test('goes with no manifests and no cluster', () => {
    expect(readCheckCommand(['--node', '-o', 'json'])).toEqual({ kind: 'node', output: 'json' });
    for (const flag of ['-f', '-n', '--kubeconfig', '--context'])
      expect(() => readCheckCommand(['--node', flag, 'x'])).toThrow(
        expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('--node looks at this') }),
      );
  });
});
