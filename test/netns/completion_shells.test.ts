/** The completion scripts in the shells that they are for, with Tab pressed on a real terminal. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTool } from '../../common/run_tool.ts';
import { pressTab } from '../support/press_tab.ts';
import { SLUICE } from './harness.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Installing two shells, ms. */
const INSTALL_MS = 300_000;

let home = '';

beforeAll(async () => {
  const script = join(ROOT, 'scripts/system_tools.sh');
  const { status, stderr } = await runTool(['sh', script, 'shells'], { timeMs: INSTALL_MS });
  expect([status, stderr]).toEqual([0, expect.any(String)]);
  home = mkdtempSync(join(tmpdir(), 'sluice-completion-'));
  mkdirSync(join(home, 'bin'));
  for (const name of ['sluice', 'kubectl_complete-sluice']) symlinkSync(SLUICE, join(home, 'bin', name));
}, INSTALL_MS);
afterAll(() => rmSync(home, { recursive: true, force: true }));

const env = () => ({
  PATH: `${join(home, 'bin')}:${process.env.PATH}`,
  HOME: home,
  TERM: 'xterm',
  LANG: 'C.UTF-8',
});

const SHELLS = [
  ['bash', 'bash --norc --noprofile -i', 'eval "$(sluice completion bash)"'],
  ['zsh', 'zsh -f -i', 'autoload -Uz compinit; compinit -u; source <(sluice completion zsh)'],
  ['fish', 'fish --no-config -i', 'sluice completion fish | source'],
] as const;

test.each(SHELLS)(
  '%s completes a command, and a value after an equals sign',
  async (_, shell, setup) => {
    const press = (text: string, shows: RegExp) => pressTab({ shell, setup, text, shows, env: env() });
    expect(await press('sluice che', /check/)).toMatch(/check/);
    expect(await press('sluice lint --fail-on=warn', /warning/)).toMatch(/warning/);
  },
  120_000,
);

test('kubectl asks its plugin by a program of its own', async () => {
  const { stdout } = await runTool([join(home, 'bin/kubectl_complete-sluice'), 'check', '--expl'], {
    timeMs: 60_000,
    env: env(),
  });
  expect(stdout).toBe('--explain\twhat a code means, and what to do; all for a list\n:4\n');
});
