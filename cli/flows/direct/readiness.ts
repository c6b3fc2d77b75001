/** What a sidecar says of itself at /readyz: docs/reference/admin.md. */
import { flag, list, nullable, number, part, type TypeOf, text } from '../../../common/shape.ts';

/** The page. */
export const readyzPage = part(
  { ready: flag, problems: list(text()) },
  { in_force: text(), table_age_seconds: nullable(number) },
);

/** What it says. */
export type Readiness = TypeOf<typeof readyzPage>;
