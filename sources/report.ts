/** What is wrong with manifests, as every command that reads files says it. */
import { describeProblem, type ManifestProblem } from './problem.ts';

/** One line of the report. */
export interface ProblemLine {
  readonly severity: ManifestProblem['severity'];
  /** Without a line end. */
  readonly text: string;
}

/** Policies of other APIs that are named; more are only counted. */
const NAMED = 10;

/** A line for each problem; of policies that are not considered the first few, and how many there are in all. */
export function problemLines(problems: readonly ManifestProblem[]): readonly ProblemLine[] {
  const foreign = problems.filter(({ notConsidered }) => notConsidered);
  const named = new Set(foreign.slice(0, NAMED));
  const lines = problems
    .filter((problem) => !problem.notConsidered || named.has(problem))
    .map((problem): ProblemLine => ({ severity: problem.severity, text: describeProblem(problem) }));
  if (foreign.length === 0) return lines;
  const count = foreign.length === 1 ? '1 policy is' : `${foreign.length} policies are`;
  const text = `${count} not considered: only NetworkPolicies of networking.k8s.io/v1 count here`;
  return [...lines, { severity: 'warning', text }];
}
