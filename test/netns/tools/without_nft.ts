/** A machine without nft, for a sidecar: its PATH. */
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { toolPath } from '../../../cli/lab/tools.ts';

/** A PATH with all tools but nft; the folder behind it is gone after the tests of the file or `describe`. */
export function pathWithoutNft(): string {
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
  afterAll(() => rmSync(tools, { recursive: true }));
  return tools;
}
