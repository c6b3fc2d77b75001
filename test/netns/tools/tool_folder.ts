/** Folders of tools for a sidecar: what its PATH is where a machine lacks something. */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toolPath } from '../../../lab/processes/tools.ts';

/** A folder of its own with all tools but those `without`; who makes it removes it. */
export function toolFolder(without: readonly string[] = []): string {
  const tools = mkdtempSync(join(tmpdir(), 'sluice-tools-'));
  for (const folder of toolPath()
    .split(':')
    .filter((one) => existsSync(one))) {
    for (const tool of readdirSync(folder)) {
      if (without.includes(tool)) continue;
      try {
        symlinkSync(join(folder, tool), join(tools, tool));
      } catch {
        // an earlier folder has it
      }
    }
  }
  return tools;
}

/**
 * Puts a script in place of a tool.
 * @param lines of bash, given how to run the tool itself: under its own name, as some programs look at that
 */
export function replaceTool(tools: string, name: string, lines: (run: string) => readonly string[]): void {
  const path = join(tools, name);
  const run = `exec -a ${name} ${realpathSync(path)} "$@"`;
  unlinkSync(path);
  writeFileSync(path, ['#!/bin/bash', ...lines(run), ''].join('\n'), { mode: 0o755 });
}
