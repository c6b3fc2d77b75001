/** What lint finds. */
import type { FieldEdit, FieldPath, Place, Standing } from '../sources/index.ts';

/** How bad it is. `error`: something does not do what it says; `warning`: probably not meant; `info`: worth knowing. */
export const SEVERITIES = ['error', 'warning', 'info'] as const;

/** One of them. */
export type Severity = (typeof SEVERITIES)[number];

/** An object that a finding is about. */
export interface LintedObject extends Standing {
  readonly kind: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly annotations: Readonly<Record<string, unknown>>;
}

/** What would mend it. */
export interface Fix {
  /** For people, such as `port: http`. */
  readonly text: string;
  /** What `--fix` does; absent where more than one thing may be meant. */
  readonly edits?: readonly FieldEdit[];
}

/** What a rule finds. */
export interface Found {
  readonly object: LintedObject;
  readonly path: FieldPath;
  readonly message: string;
  /** Where it is not the rule's. */
  readonly severity?: Severity;
  readonly fix?: Fix;
}

/** A finding, with its rule and its place. */
export interface Finding extends Found {
  readonly code: string;
  readonly severity: Severity;
  /** Undefined for what comes from no file. */
  readonly place?: Place;
}

/** `spec.ingress[0].from[1]`. */
export function fieldText(path: FieldPath): string {
  return path
    .map((step, at) => (typeof step === 'number' ? `[${step}]` : `${at === 0 ? '' : '.'}${step}`))
    .join('');
}
