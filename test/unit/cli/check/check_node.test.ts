/** `sluice check --node`: what is said of this machine's kernel, and what is not taken with it. */
import { describe, expect, test } from 'vitest';
import { checkMachine, type RulesOutcome } from '../../../../cli/check/machine_check.ts';
import { runSluice } from '../support/sluice_process.ts';

const line = (fields: object) => `${JSON.stringify({ msg: 'redirect in force', ...fields })}\n`;
const GOOD = line({ backend: 'nft', gate: 'closed', guard: { nodes: [], problems: {} } });

const found = async (outcome: Partial<RulesOutcome>) =>
  (await checkMachine(async () => ({ status: 0, stdout: GOOD, stderr: '', ...outcome }))).findings;

describe('sluice check --node', () => {
  test('says that the kernel takes the rules of a pod, and can do the direct path', async () => {
    expect(await found({})).toEqual([
      {
        level: 'ok',
        subject: 'this machine',
        message:
          'its kernel takes the rules of a pod: the redirect (iptables back end nft), the guard and the gate',
      },
      {
        level: 'ok',
        subject: 'this machine',
        message: 'its kernel can do all that the direct path needs',
      },
    ]);
  });

  test.each([
    [
      { status: 1, stdout: '', stderr: 'sluice-sidecar: REDIRECT_KERNEL_UNSUPPORTED: iptables failed: x\n' },
      /cannot be put in force: REDIRECT_KERNEL_UNSUPPORTED: iptables failed: x\. Run this as root/,
    ],
    [
      { stdout: line({ gate: 'nft is not there', guard: { problems: {} } }) },
      /gate of a pod cannot be put in force: nft is not there/,
    ],
    [
      { stdout: line({ gate: 'closed', guard: { problems: { fib: 'no such file' } } }) },
      /rules of the guard cannot be put in force: fib: no such file/,
    ],
  ])('names what the kernel refuses: %j', async (outcome, said) => {
    const [first] = await found(outcome);
    expect(first).toMatchObject({ level: 'error', code: 'CK105', message: expect.stringMatching(said) });
  });

  test('warns of a kernel that cannot do the direct path, with what it lacks', async () => {
    const notDirect = 'the kernel does not list sockets (INET_TCP_DIAG)';
    const [first, second] = await found({
      stdout: line({ backend: 'nft', gate: 'closed', guard: { problems: {} }, notDirect }),
    });
    expect(first).toMatchObject({ level: 'ok' });
    expect(second).toMatchObject({
      level: 'warning',
      code: 'CK106',
      message:
        'the direct path cannot be taken here: the kernel does not list sockets (INET_TCP_DIAG). So pods with sluice.dev/path=auto take the proxy, and those with direct do not start',
    });
  });

  test('says why nothing could be tried', async () => {
    const { findings } = await checkMachine(async () => Promise.reject(new Error('it does not load\nat x')));
    expect(findings.map(({ level, message }) => [level, message])).toEqual([
      ['warning', expect.stringMatching(/could not be tried: it does not load\. Run this as root, /)],
    ]);
  });

  test.each(['-f', '-n', '--kubeconfig', '--context', '--lab'])('does not go with %s', async (flag) => {
    const { code, stderr } = await runSluice(['check', '--node', flag, 'x']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--node looks at this machine: leave --')]);
  });
});
