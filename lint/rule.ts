/** What a rule of lint is. */
import type { Found, Severity } from './finding.ts';
import type { Model } from './model/index.ts';

/** One rule. Its code never changes its meaning and is never used again. */
export interface Rule {
  /** `NP001`. */
  readonly code: string;
  readonly severity: Severity;
  /** What it finds, in a line. */
  readonly title: string;
  /** For `--explain` and the docs: why it matters, and when it says nothing. Paragraphs with an empty line between them. */
  readonly explanation: string;
  /** What to do about it. */
  readonly remedy: string;
  /** @param foundBy what another rule finds, each run once: one mistake shall not be named twice */
  check(model: Model, foundBy: FoundBy): Iterable<Found>;
}

/** Asks another rule. */
export type FoundBy = (rule: Rule) => readonly Found[];
