/** A tool that fails on demand, for a sidecar: its PATH. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { toolPath } from '../../../cli/lab/tools.ts';

/** What a sidecar finds in place of a tool. */
export interface BreakableTool {
  /** PATH of the sidecar. */
  readonly path: string;
  break(): void;
  mend(): void;
}

/** A PATH with all tools, in which `name` can be broken; the folder behind it is gone after the tests of the file. */
export function breakableTool(name: string): BreakableTool {
  const tools = mkdtempSync(join(tmpdir(), 'sluice-tools-'));
  const broken = join(tools, '.broken');
  for (const folder of toolPath()
    .split(':')
    .filter((one) => existsSync(one))) {
    for (const tool of readdirSync(folder)) {
      const path = join(tools, tool);
      if (existsSync(path)) continue; // an earlier folder has it
      if (tool === name) {
        // Some programs look at their own name.
        const script = `#!/bin/bash\n[ -e ${broken} ] && { echo '${name} is broken' >&2; exit 1; }\nexec -a ${name} ${realpathSync(join(folder, tool))} "$@"\n`;
        writeFileSync(path, script);
        chmodSync(path, 0o755);
      } else {
        symlinkSync(join(folder, tool), path);
      }
    }
  }
  afterAll(() => rmSync(tools, { recursive: true }));
  return {
    path: tools,
    break: () => writeFileSync(broken, ''),
    mend: () => rmSync(broken, { force: true }),
  };
}
