/** `sluice check`: what keeps pods from being injected and enforced. */

import { SluiceError, unreachable } from '../../common/errors.ts';
import { type CommandContext, createCommand, EXIT } from '../command.ts';
import { writeLines } from '../lines.ts';
import { CHECK_FLAGS, CHECK_HELP, CHECK_HELP_END, type CheckCommand, checkCommand } from './check_options.ts';
import { CHECK_CODE_LIST, CHECK_CODES, explainCode, isCheckCode } from './codes.ts';
import { checkMachine } from './machine_check.ts';
import { checkManifests } from './manifests_check.ts';
import { byWorkload, type Report, reportJson, reportLines } from './report.ts';

/**
 * Runs the command: reads what follows `sluice check`, prints to the process's output, and resolves to the exit code.
 * @throws SluiceError `USAGE`, and those of `readInput`
 */
export const runCheck = createCommand({
  name: 'check',
  help: CHECK_HELP,
  flags: CHECK_FLAGS,
  afterFlags: CHECK_HELP_END,
  wanted: () => 0,
  run: async (values, context) => {
    const code = values.text('explain');
    if (code === undefined) return await run(checkCommand(values), context);
    await context.stdout.write(explained(code));
    return EXIT.yes;
  },
});

async function run(command: CheckCommand, context: CommandContext): Promise<number> {
  const { stdout, progress } = context;
  const found = await reportOf(command, context);
  progress.end();
  const report = { ...found, findings: byWorkload(found.findings) };
  if (command.output === 'json') await stdout.write(`${JSON.stringify(reportJson(report), null, 2)}\n`);
  else await writeLines(reportLines(report, command.headers), context);
  return report.findings.some(({ level }) => level === 'error') ? EXIT.no : EXIT.yes;
}

async function reportOf({ what, ignoreErrors }: CheckCommand, context: CommandContext): Promise<Report> {
  switch (what.kind) {
    case 'node':
      return await checkMachine();
    case 'files':
    case 'lab':
      return await checkManifests(what, ignoreErrors, context);
    case 'cluster': {
      // The library of the Kubernetes API takes half a second to load: only where it is used.
      const { checkCluster } = await import('./cluster_check.ts');
      return await checkCluster(what, context);
    }
    default:
      return unreachable(what);
  }
}

/** @throws SluiceError `USAGE` for what is no code */
function explained(code: string): string {
  if (code === 'all') return CHECK_CODE_LIST.map((one) => `${one}  ${CHECK_CODES[one].title}\n`).join('');
  const known = code.toUpperCase();
  if (isCheckCode(known)) return explainCode(known);
  throw new SluiceError('USAGE', `there is no code ${code} (--explain all lists them)`);
}
