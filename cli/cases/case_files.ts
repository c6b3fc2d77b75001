/** Reads files of cases. */
import { SluiceError } from '../../common/errors.ts';
import type { Case } from './case.ts';
import type { CaseText } from './case_text.ts';
import { type CaseFault, MAX_CASES, type ReadCases, readCases } from './read_cases.ts';

/**
 * Reads all of them.
 * @param isNamespaceKnown see `readCases`
 * @throws SluiceError `INPUT_TOO_LARGE`
 */
export function readCaseFiles(files: readonly CaseText[], isNamespaceKnown: boolean): ReadCases {
  let cases: readonly Case[] = [];
  let faults: readonly CaseFault[] = [];
  for (const { file, text } of files) {
    const read = readCases(file, text, isNamespaceKnown);
    // Not `push(...)`: that many arguments no call has room for.
    cases = [...cases, ...read.cases];
    faults = [...faults, ...read.faults];
    if (cases.length > MAX_CASES)
      throw new SluiceError(
        'INPUT_TOO_LARGE',
        `there are more than ${MAX_CASES} cases: test one file at a time`,
      );
  }
  return { cases, faults };
}
