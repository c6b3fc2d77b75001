/** What reading an API object gives. */

import { Field, type FieldError, type Findings } from './field.ts';

/** An object, or all that is wrong with it. */
export type Parsed<T> =
  | { readonly ok: true; readonly object: T; readonly warnings: string[] }
  | {
      readonly ok: false;
      readonly errors: FieldError[];
      /**
       * Only for a NetworkPolicy whose subject is known: the same policy without its faulty rules. Used in its place, it isolates
       * the pods that it selects and admits what its good rules admit: a policy with a mistake must not open anything.
       */
      readonly isolating?: T;
    };

/** Runs a reader over an object and collects what it finds. Null and non-objects are refused here. */
export function parseWith<T>(
  value: unknown,
  read: (object: Field) => T,
): { findings: Findings; object: T | undefined } {
  const findings: Findings = { errors: [], warnings: [] };
  const field = new Field(value, '', findings);
  if (field.isAbsent || !field.object()) {
    return {
      findings: { errors: [{ path: '', message: 'must be a Kubernetes object' }], warnings: [] },
      object: undefined,
    };
  }
  return { findings, object: read(field) };
}

/** The result of a reader that has no fallback. */
export function parseObject<T>(value: unknown, read: (object: Field) => T): Parsed<T> {
  const { findings, object } = parseWith(value, read);
  if (object === undefined || findings.errors.length > 0) return { ok: false, errors: findings.errors };
  return { ok: true, object, warnings: findings.warnings };
}
