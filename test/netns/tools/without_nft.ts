/** Machines that lack something, for a sidecar: their PATH. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { toolPath } from '../../../cli/lab/tools.ts';

/** A PATH with all tools but nft; the folder behind it is gone after the tests of the file or `describe`. */
export function pathWithoutNft(): string {
  const tools = toolFolder();
  afterAll(() => rmSync(tools, { recursive: true }));
  return tools;
}

/**
 * A PATH whose iptables refuses what has `text` in it, as it does where the kernel lacks the module. The folder behind it is
 * gone when the process ends.
 */
export function pathThatRefuses(text: string): string {
  const tools = toolFolder();
  process.once('exit', () => rmSync(tools, { recursive: true }));
  for (const program of ['iptables-nft', 'ip6tables-nft', 'iptables-legacy', 'ip6tables-legacy']) {
    const restore = join(tools, `${program}-restore`);
    const real = realpathSync(restore);
    unlinkSync(restore);
    const lines = [
      '#!/bin/bash',
      'text=$(cat)',
      `case "$text" in *'${text}'*) echo 'missing kernel module?' >&2; exit 2;; esac`,
      // The program looks at its own name.
      `exec -a ${program}-restore ${real} "$@" <<END`,
      '$text',
      'END',
      '',
    ];
    writeFileSync(restore, lines.join('\n'), { mode: 0o755 });
  }
  return tools;
}

function toolFolder(): string {
  const tools = mkdtempSync(join(tmpdir(), 'sluice-tools-'));
  for (const folder of toolPath()
    .split(':')
    .filter((one) => existsSync(one))) {
    for (const tool of readdirSync(folder)) {
      if (tool === 'nft') continue;
      try {
        symlinkSync(join(folder, tool), join(tools, tool));
      } catch {
        // an earlier folder has it
      }
    }
  }
  return tools;
}
