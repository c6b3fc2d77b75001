/** Machines that lack something, for a sidecar: their PATH. */
import { rmSync } from 'node:fs';
import { afterAll } from 'vitest';
import { replaceTool, toolFolder } from './tool_folder.ts';

/** A PATH with all tools but nft; the folder behind it is gone after the tests of the file or `describe`. */
export function pathWithoutNft(): string {
  const tools = toolFolder(['nft']);
  afterAll(() => rmSync(tools, { recursive: true }));
  return tools;
}

/**
 * A PATH whose iptables refuses what has `text` in it, as it does where the kernel lacks the module. The folder behind it is
 * gone when the process ends.
 */
export function pathThatRefuses(text: string): string {
  const tools = toolFolder(['nft']);
  process.once('exit', () => rmSync(tools, { recursive: true }));
  for (const program of ['iptables-nft', 'ip6tables-nft', 'iptables-legacy', 'ip6tables-legacy']) {
    replaceTool(tools, `${program}-restore`, (run) => [
      'text=$(cat)',
      `case "$text" in *'${text}'*) echo 'missing kernel module?' >&2; exit 2;; esac`,
      `${run} <<END`,
      '$text',
      'END',
    ]);
  }
  return tools;
}
