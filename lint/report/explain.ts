/** What `--explain` says of a rule. */
import type { Rule } from '../rule.ts';
import { IGNORE_ANNOTATION } from '../suppress/index.ts';

/** Text with a line end. */
export function explainRule({ code, severity, title, explanation, remedy }: Rule): string {
  return `${code} (${severity}): ${title}

${explanation}

What to do: ${remedy}

Where it is meant: annotation ${IGNORE_ANNOTATION}: "${code} why" on the object, or a comment
# sluice-lint: ignore ${code} why
`;
}
