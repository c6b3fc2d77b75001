/** Checks of data that comes from outside. A check gives the first problem it finds, or nothing. */

import { SluiceError } from '../../common/errors.ts';

/** What is wrong, and where: `path` is relative to the checked value, such as `.ingress.rules[0].index`. */
export interface Problem {
  readonly path: string;
  readonly text: string;
}

/** Checks one value. Paths are put together only on the way out of a failure: a large table passes without them. */
export type Check = (value: unknown) => Problem | undefined;

/** Says what is wrong with a text, if anything. */
export type TextProblem = (value: string) => string | undefined;

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'missing';
  return Array.isArray(value) ? 'a list' : typeof value;
}

function show(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? JSON.stringify(value) : kindOf(value);
}

/** A problem with the checked value itself. */
export function problem(text: string, path = ''): Problem {
  return { path, text };
}

/** The same problem as seen from one level further out. */
function within(step: string, inner: Problem): Problem {
  return { path: step + inner.path, text: inner.text };
}

/** Runs a check. Throws TABLE_MALFORMED with the path from `name` on. */
export function requireForm(check: Check, value: unknown, name: string): void {
  const found = check(value);
  if (found === undefined) return;
  const advice = 'check that both ends run the same version of Sluice';
  throw new SluiceError('TABLE_MALFORMED', `${name}${found.path} ${found.text}; ${advice}`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A string; `test` says what is wrong with one, if anything. */
export function text(test?: TextProblem): Check {
  return (value) => {
    if (typeof value !== 'string') return problem(`must be a string, is ${kindOf(value)}`);
    const wrong = test?.(value);
    return wrong === undefined ? undefined : problem(wrong);
  };
}

/** A whole number in a range, both ends inclusive. */
export function integer(min: number, max: number): Check {
  return (value) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max)
      return undefined;
    return problem(`must be a whole number from ${min} to ${max}, is ${show(value)}`);
  };
}

/** One of some constants. */
export function oneOf(...constants: readonly (string | number)[]): Check {
  return (value) => {
    if (constants.some((constant) => constant === value)) return undefined;
    return problem(`must be ${constants.map(show).join(' or ')}, is ${show(value)}`);
  };
}

/** A list. */
export function list(item: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return problem(`must be a list, is ${kindOf(value)}`);
    for (let i = 0; i < value.length; i += 1) {
      const found = item(value[i]);
      if (found !== undefined) return within(`[${i}]`, found);
    }
    return undefined;
  };
}

/** An object used as a map. */
export function record(entry: Check, keyProblem?: TextProblem): Check {
  return (value) => {
    if (!isRecord(value)) return problem(`must be an object, is ${kindOf(value)}`);
    for (const key of Object.keys(value)) {
      const wrong = keyProblem?.(key);
      const found = wrong === undefined ? entry(value[key]) : problem(wrong);
      if (found !== undefined) return within(`[${JSON.stringify(key)}]`, found);
    }
    return undefined;
  };
}

/** An object with these fields and no other: a field this version does not know may narrow what is allowed. */
export function shape(
  required: Readonly<Record<string, Check>>,
  optional: Readonly<Record<string, Check>> = {},
): Check {
  const requiredNames = Object.keys(required);
  const checks = new Map(Object.entries({ ...required, ...optional }));
  return (value) => {
    if (!isRecord(value)) return problem(`must be an object, is ${kindOf(value)}`);
    for (const name of requiredNames) {
      if (!Object.hasOwn(value, name)) return problem('is missing', `.${name}`);
    }
    for (const name of Object.keys(value)) {
      const check = checks.get(name);
      if (check === undefined) return problem('is a field this version does not know', `.${name}`);
      const found = check(value[name]);
      if (found !== undefined) return within(`.${name}`, found);
    }
    return undefined;
  };
}

/** An object whose field `tag` says which form it has. */
export function tagged(tag: string, forms: Readonly<Record<string, Check>>): Check {
  const checks = new Map(Object.entries(forms));
  const names = [...checks.keys()].join(', ');
  return (value) => {
    if (!isRecord(value)) return problem(`must be an object, is ${kindOf(value)}`);
    const form = Object.hasOwn(value, tag) ? value[tag] : undefined;
    const check = typeof form === 'string' ? checks.get(form) : undefined;
    if (check === undefined) return problem(`must be one of ${names}, is ${show(form)}`, `.${tag}`);
    return check(value);
  };
}

/** The same check, or null. */
export function nullable(check: Check): Check {
  return (value) => (value === null ? undefined : check(value));
}

/** Several checks of one value, each only once those before it passed. */
export function all(...checks: readonly Check[]): Check {
  return (value) => {
    for (const check of checks) {
      const found = check(value);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}
