/** What each program prints for `--help`, asked of the program itself. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runLab } from '../../cli/lab/index.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Region name to command line; the first word is the file that Node runs. */
const PROGRAMS: readonly (readonly [string, readonly string[]])[] = [
  ['help-sluice', ['cli/main.ts', '--help']],
  ['help-can', ['cli/main.ts', 'can', '--help']],
  ['help-check', ['cli/main.ts', 'check', '--help']],
  ['help-describe', ['cli/main.ts', 'describe', '--help']],
  ['help-lint', ['cli/main.ts', 'lint', '--help']],
  ['help-diff', ['cli/main.ts', 'diff', '--help']],
  ['help-graph', ['cli/main.ts', 'graph', '--help']],
  ['help-observe', ['cli/main.ts', 'observe', '--help']],
  ['help-connections', ['cli/main.ts', 'connections', '--help']],
  ['help-status', ['cli/main.ts', 'status', '--help']],
  ['help-wait', ['cli/main.ts', 'wait', '--help']],
  ['help-dashboard', ['cli/main.ts', 'dashboard', '--help']],
  ['help-lab', ['cli/main.ts', 'lab', '--help']],
  ['help-test', ['cli/main.ts', 'test', '--help']],
  ['help-completion', ['cli/main.ts', 'completion', '--help']],
  ['help-sidecar', ['sidecar/main.ts', '--help']],
  ['help-injector', ['injector/main.ts', '--help']],
];

/** Code blocks by region name. */
export async function helpTexts(): Promise<ReadonlyMap<string, string>> {
  const run = promisify(execFile);
  const entries = PROGRAMS.map(async ([name, [file = '', ...args]]): Promise<[string, string]> => {
    const { stdout } = await run(process.execPath, [join(ROOT, file), ...args]);
    return [name, codeBlock(stdout)];
  });
  const ofLab = runLab.shape.commands.map(
    (command) => [`help-lab-${command.name}`, codeBlock(command.run.shape?.help ?? '')] as const,
  );
  return new Map([...(await Promise.all(entries)), ...ofLab]);
}

function codeBlock(text: string): string {
  return `\`\`\`text\n${text.trimEnd()}\n\`\`\``;
}
