/** Results as TAP, version 14. Source: https://testanything.org/tap-version-14-specification.html */
import { stringify } from 'yaml';
import { printable } from '../../common/printable.ts';
import { explanation } from './explain.ts';
import { type CaseResult, outcomeText, resultTitle } from './result.ts';

/** A plan, a line for each case, and of those that are not as expected a block of YAML. */
export function tapLines(results: readonly CaseResult[]): string {
  return `TAP version 14\n1..${results.length}\n${results.map(tapOf).join('')}`;
}

function tapOf(result: CaseResult, at: number): string {
  const isPass = result.result === 'pass';
  const line = `${isPass ? 'ok' : 'not ok'} ${at + 1} - ${escaped(resultTitle(result))}\n`;
  return isPass ? line : `${line}${diagnostics(result)}`;
}

/** `#` begins a directive, such as SKIP, and `\` escapes. A description is one line. */
function escaped(text: string): string {
  return printable(text).replace(/[\\#]/g, '\\$&');
}

/** Each text in quotes, on one line: none of them can look like the end of the block. */
function diagnostics(result: CaseResult): string {
  const details = explanation(result)
    .split('\n')
    .filter((line) => line !== '');
  const data = {
    message: outcomeText(result),
    severity: result.result === 'error' ? 'error' : 'fail',
    at: result.case.place,
    ...(details.length === 0 ? {} : { details }),
  };
  const yaml = stringify(data, { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
  const lines = ['---', ...yaml.trimEnd().split('\n'), '...'];
  return lines.map((line) => `  ${line}\n`).join('');
}
