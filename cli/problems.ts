/** What is wrong with what was read, and what could not be read: on standard error, for each command that reads manifests. */
import { type ManifestProblem, type Manifests, problemLines } from '../sources/index.ts';
import { complain } from './output.ts';

/**
 * Of a command that answers nothing where manifests are broken. What several of them have is said once.
 * @param templates what is wrong with templates of workloads that the answer needs: errors, a sentence each
 * @returns whether an answer may be given
 */
export function reportProblems(
  manifests: Manifests | readonly Manifests[],
  ignoreErrors: boolean,
  templates: Iterable<string> = [],
): boolean {
  const lines = [
    ...[manifests].flat().flatMap(({ problems }) => problemLines(problems)),
    ...[...templates].map((text) => ({ severity: 'error', text }) as const),
  ];
  let usable = true;
  const said = new Set<string>();
  for (const { severity, text } of lines) {
    if (said.has(text)) continue;
    said.add(text);
    const fatal = severity === 'error' && !ignoreErrors;
    if (fatal) usable = false;
    complain(`sluice: ${fatal ? '' : 'warning: '}${text}`);
  }
  return usable;
}

/**
 * Of a command that does without what is broken, and ends with exit code 2 where that is more than a policy.
 * @returns whether all was read, or need not be
 */
export function reportUnread(problems: readonly ManifestProblem[], ignoreErrors: boolean): boolean {
  for (const { severity, text } of problemLines(problems))
    complain(`sluice: ${severity === 'error' && !ignoreErrors ? 'not read: ' : 'warning: '}${text}`);
  return ignoreErrors || !problems.some((problem) => problem.severity === 'error' && !isOfPolicy(problem));
}

/** What is wrong with a policy is looked at like the rest of it: it isolates, and its faulty rules admit nothing. */
export function isOfPolicy({ object = '' }: ManifestProblem): boolean {
  return object.startsWith('NetworkPolicy');
}

/** What is not known, a sentence each. */
export function reportNotes(notes: Iterable<string>): void {
  for (const note of notes) complain(`sluice: note: ${note}`);
}
