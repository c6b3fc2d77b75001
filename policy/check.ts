/** Checks of data that comes from outside. A check passes silently or throws TABLE_MALFORMED with the path. */

import { SluiceError } from './errors.ts';

/** Checks one value; `path` is where it stands, such as `table.ingress.rules[0].index`. */
export type Check = (value: unknown, path: string) => void;

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : typeof value;
}

function show(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? JSON.stringify(value) : kindOf(value);
}

/** Throws TABLE_MALFORMED. */
export function refuse(path: string, problem: string): never {
  throw new SluiceError(
    'TABLE_MALFORMED',
    `${path} ${problem}; check that both ends run the same version of Sluice`,
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function requireRecord(value: unknown, path: string): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : refuse(path, `must be an object, is ${kindOf(value)}`);
}

/** A string; `test` says what is wrong with one, if anything. */
export function text(test?: (value: string) => string | undefined): Check {
  return (value, path) => {
    if (typeof value !== 'string') refuse(path, `must be a string, is ${kindOf(value)}`);
    const problem = test?.(value);
    if (problem !== undefined) refuse(path, problem);
  };
}

/** A whole number in a range, both ends inclusive. */
export function integer(min: number, max: number): Check {
  return (value, path) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      refuse(path, `must be a whole number from ${min} to ${max}, is ${show(value)}`);
    }
  };
}

/** One of some constants. */
export function oneOf(...constants: readonly (string | number)[]): Check {
  return (value, path) => {
    if (!constants.some((constant) => constant === value)) {
      refuse(path, `must be ${constants.map(show).join(' or ')}, is ${show(value)}`);
    }
  };
}

/** A list. */
export function list(item: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) refuse(path, `must be a list, is ${kindOf(value)}`);
    for (const [i, element] of value.entries()) item(element, `${path}[${i}]`);
  };
}

/** An object used as a map. `key` says what is wrong with a key, if anything. */
export function record(entry: Check, key?: (value: string) => string | undefined): Check {
  return (value, path) => {
    for (const [name, element] of Object.entries(requireRecord(value, path))) {
      const at = `${path}[${JSON.stringify(name)}]`;
      const problem = key?.(name);
      if (problem !== undefined) refuse(at, problem);
      entry(element, at);
    }
  };
}

/** An object with these fields and no other: a field this version does not know may narrow what is allowed. */
export function shape(
  required: Readonly<Record<string, Check>>,
  optional: Readonly<Record<string, Check>> = {},
): Check {
  const requiredFields = Object.entries(required);
  const optionalFields = Object.entries(optional);
  const known = new Set([...Object.keys(required), ...Object.keys(optional)]);
  return (value, path) => {
    const fields = requireRecord(value, path);
    for (const name of Object.keys(fields)) {
      if (!known.has(name)) refuse(`${path}.${name}`, 'is a field this version does not know');
    }
    for (const [name, check] of requiredFields) {
      if (!Object.hasOwn(fields, name)) refuse(`${path}.${name}`, 'is missing');
      check(fields[name], `${path}.${name}`);
    }
    for (const [name, check] of optionalFields) {
      if (Object.hasOwn(fields, name) && fields[name] !== undefined) check(fields[name], `${path}.${name}`);
    }
  };
}

/** An object whose field `tag` says which form it has. */
export function tagged(tag: string, forms: Readonly<Record<string, Check>>): Check {
  return (value, path) => {
    const fields = requireRecord(value, path);
    const form = Object.hasOwn(fields, tag) ? fields[tag] : undefined;
    const check = typeof form === 'string' && Object.hasOwn(forms, form) ? forms[form] : undefined;
    if (check === undefined) {
      refuse(`${path}.${tag}`, `must be one of ${Object.keys(forms).join(', ')}, is ${show(form)}`);
    }
    check(value, path);
  };
}

/** The same check, or null. */
export function nullable(check: Check): Check {
  return (value, path) => {
    if (value !== null) check(value, path);
  };
}
