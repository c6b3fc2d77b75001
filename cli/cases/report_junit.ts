/** Results as JUnit XML, as CI systems read it: a suite for each file, a test case for each case. */
import { unreachable } from '../../common/errors.ts';
import { xmlText } from '../xml.ts';
import { caseTitle } from './case.ts';
import { explanation } from './explain.ts';
import { type CaseResult, countsOf, outcomeText, resultTitle } from './result.ts';

/** The whole document. Times are 0 where nothing was sent. */
export function junitXml(results: readonly CaseResult[]): string {
  const byFile = Map.groupBy(results, (result) => result.case.place.file);
  const suites = [...byFile].map(
    ([file, own]) =>
      `  <testsuite name=${quoted(file)} ${totals(own)}>\n${own.map(testCase).join('')}  </testsuite>\n`,
  );
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="sluice test" ${totals(results)}>\n` +
    `${suites.join('')}</testsuites>\n`
  );
}

function totals(results: readonly CaseResult[]): string {
  const { cases, failed, errors } = countsOf(results);
  const seconds = results.reduce((sum, result) => sum + secondsOf(result), 0);
  return `tests="${cases}" failures="${failed}" errors="${errors}" skipped="0" time="${seconds.toFixed(3)}"`;
}

function testCase(result: CaseResult): string {
  const { place, expect } = result.case;
  const open =
    `    <testcase name=${quoted(`${caseTitle(result.case)} ${expect}`)} classname=${quoted(place.file)} ` +
    `file=${quoted(place.file)} line="${place.line}" time="${secondsOf(result).toFixed(3)}"`;
  switch (result.result) {
    case 'pass':
      return `${open}/>\n`;
    case 'fail':
    case 'error': {
      const kind = result.result === 'error' ? 'error' : 'failure';
      const type = result.result === 'error' ? result.error.code : 'expectation';
      const said = [
        `${place.file}:${place.line}:${place.column}: ${resultTitle(result)}`,
        explanation(result),
      ];
      const text = said.filter((part) => part !== '').join('\n');
      return (
        `${open}>\n      <${kind} message=${quoted(outcomeText(result))} type="${type}">${xmlText(text)}</${kind}>\n` +
        '    </testcase>\n'
      );
    }
    default:
      return unreachable(result);
  }
}

function secondsOf(result: CaseResult): number {
  if (result.result === 'error') return 0;
  return (result.packets?.probes ?? []).reduce((sum, { ms }) => sum + (ms ?? 0), 0) / 1000;
}

/** The value of an attribute, with its quotes. Readers make spaces of line ends and tabs that are not written so. */
function quoted(text: string): string {
  return `"${xmlText(text).replace(/[\t\n\r]/g, (found) => `&#${found.charCodeAt(0)};`)}"`;
}
