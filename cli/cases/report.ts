/** Results in the format that was asked for. */
import { unreachable } from '../../common/errors.ts';
import type { CommandContext } from '../command.ts';
import { testJson } from './report_json.ts';
import { junitXml } from './report_junit.ts';
import { tapLines } from './report_tap.ts';
import { writeText } from './report_text.ts';
import type { Report } from './result.ts';
import type { TestCommand } from './test_options.ts';

/** Writes to standard output. */
export async function writeReport(
  report: Report,
  { output, headers }: Pick<TestCommand, 'output' | 'headers'>,
  { stdout, style }: Pick<CommandContext, 'stdout' | 'style'>,
): Promise<void> {
  switch (output) {
    case 'text':
      await writeText(report.results, stdout, { style, headers, lab: report.lab });
      return;
    case 'json':
      await stdout.write(`${JSON.stringify(testJson(report), null, 2)}\n`);
      return;
    case 'tap':
      await stdout.write(tapLines(report.results));
      return;
    case 'junit':
      await stdout.write(junitXml(report.results));
      return;
    default:
      unreachable(output);
  }
}
