/** A tool that fails on demand, for a sidecar: its PATH. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { replaceTool, toolFolder } from './tool_folder.ts';

/** What a sidecar finds in place of a tool. */
export interface BreakableTool {
  /** PATH of the sidecar. */
  readonly path: string;
  break(): void;
  mend(): void;
}

/** A PATH with all tools, in which `name` can be broken; the folder behind it is gone after the tests of the file. */
export function breakableTool(name: string): BreakableTool {
  const tools = toolFolder();
  const broken = join(tools, '.broken');
  replaceTool(tools, name, (run) => [`[ -e ${broken} ] && { echo '${name} is broken' >&2; exit 1; }`, run]);
  afterAll(() => rmSync(tools, { recursive: true }));
  return {
    path: tools,
    break: () => writeFileSync(broken, ''),
    mend: () => rmSync(broken, { force: true }),
  };
}
