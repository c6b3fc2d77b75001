/** What is wrong with what was read, and what could not be read: on standard error, for each command that reads manifests. */
import { type ManifestProblem, type Manifests, problemLines } from '../sources/index.ts';
import { complain } from './output.ts';

/** Of a command that answers nothing where manifests are broken. @returns whether an answer may be given */
export function reportProblems({ problems }: Manifests, ignoreErrors: boolean): boolean {
  let usable = true;
  for (const { severity, text } of problemLines(problems)) {
    const fatal = severity === 'error' && !ignoreErrors;
    if (fatal) usable = false;
    complain(`sluice: ${fatal ? '' : 'warning: '}${text}`);
  }
  return usable;
}

/** Of a command that does without what is broken. */
export function reportUnread(problems: readonly ManifestProblem[]): void {
  for (const { severity, text } of problemLines(problems))
    complain(`sluice: ${severity === 'error' ? 'not read: ' : 'warning: '}${text}`);
}

/** What is not known, a sentence each. */
export function reportNotes(notes: Iterable<string>): void {
  for (const note of notes) complain(`sluice: note: ${note}`);
}
