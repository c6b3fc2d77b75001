/**
 * The form of data that comes from outside a process. A `Shape<T>` is one declaration: the type `T` is read from it with
 * `TypeOf`, and its check finds the first thing wrong with a value. docs/adr/0035-one-shape-for-a-form.md
 */

/** What is wrong, and where: `path` is relative to the checked value, such as `.ingress.rules[0].index`. */
export interface Problem {
  readonly path: string;
  readonly text: string;
}

/** Checks one value. Paths are put together only on the way out of a failure: a large table passes without them. */
export type Check = (value: unknown) => Problem | undefined;

/** Says what is wrong with a text, if anything. */
export type TextProblem = (value: string) => string | undefined;

/** A shape of any type. */
export interface AnyShape {
  readonly check: Check;
}

/** A check and the type of what passes it. */
export class Shape<in out T> implements AnyShape {
  readonly check: Check;

  constructor(check: Check) {
    this.check = check;
  }

  /** Whether a value has this form. */
  holds(value: unknown): value is T {
    return this.check(value) === undefined;
  }

  /**
   * The value, once it is checked.
   * @param name what the value is, for the message: `frame` gives `frame.table.revision is missing`
   * @param refuse makes the error; it adds what to do next
   * @throws what `refuse` makes
   */
  read(value: unknown, name: string, refuse: (problem: string) => Error): T {
    const found = this.check(value);
    if (found === undefined) return value as T;
    throw refuse(`${name}${found.path} ${found.text}`);
  }

  /**
   * The value that a text holds as JSON.
   * @throws what `refuse` makes, also for a text that is not JSON
   */
  readJson(text: string, name: string, refuse: (problem: string, cause?: unknown) => Error): T {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw refuse(`${name} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
    }
    return this.read(value, name, refuse);
  }
}

/** The type that a shape declares. */
export type TypeOf<S> = S extends Shape<infer T> ? T : never;

/** Fields by name. */
export type Fields = Readonly<Record<string, AnyShape>>;

/** No fields. */
export type NoFields = Readonly<Record<never, AnyShape>>;

/** An object with the fields `R`, and perhaps those of `O`. Written so that "go to definition" finds the field's shape. */
export type ObjectOf<R, O> = Flat<
  { readonly [K in keyof R]: TypeOf<R[K]> } & { readonly [K in keyof O]?: TypeOf<O[K]> }
>;

type Flat<T> = { readonly [K in keyof T]: T[K] };

/** The fields that `T` must have, each with its shape. */
export type RequiredFields<T> = {
  readonly [K in keyof T as Pick<T, K> extends Required<Pick<T, K>> ? K : never]: Shape<T[K]>;
};

/** The fields that `T` may lack, each with its shape. */
export type OptionalFields<T> = {
  readonly [K in keyof T as Pick<T, K> extends Required<Pick<T, K>> ? never : K]-?: Shape<
    Exclude<T[K], undefined>
  >;
};

/** The form of an object of any type. */
export interface AnyObjectShape extends AnyShape {
  readonly required: Fields;
  readonly optional: Fields;
}

/** The form of an object. Its fields are known, so that `tagged` can add one. */
export class ObjectShape<in out T> extends Shape<T> implements AnyObjectShape {
  readonly required: Fields;
  readonly optional: Fields;

  constructor(required: Fields, optional: Fields, others: 'refused' | 'ignored' = 'refused') {
    super(fieldsCheck(required, optional, others));
    this.required = required;
    this.optional = optional;
  }
}

/** Any value: code that uses it has to check it first. */
export const anything: Shape<unknown> = new Shape(() => undefined);

/** A problem with the checked value itself. */
export function problem(text: string, path = ''): Problem {
  return { path, text };
}

/** Whether a value is an object and no list: what JSON calls an object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The fields of a value that is a record; none of any other value. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isRecord(value) ? value : {};
}

/** The items of a list; of anything else none. */
export function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A string; `test` says what is wrong with one, if anything. */
export function text(test?: TextProblem): Shape<string> {
  return new Shape((value) => {
    if (typeof value !== 'string') return problem(`must be a string, is ${kindOf(value)}`);
    const wrong = test?.(value);
    return wrong === undefined ? undefined : problem(wrong);
  });
}

/** True or false. */
export const flag: Shape<boolean> = new Shape((value) =>
  typeof value === 'boolean' ? undefined : problem(`must be true or false, is ${show(value)}`),
);

/** A whole number in a range, both ends inclusive. */
export function integer(min: number, max: number): Shape<number> {
  return new Shape((value) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max)
      return undefined;
    return problem(`must be a whole number from ${min} to ${max}, is ${show(value)}`);
  });
}

/** Any number, such as a time in milliseconds with fractions. */
export const number: Shape<number> = new Shape((value) =>
  typeof value === 'number' ? undefined : problem(`must be a number, is ${show(value)}`),
);

/** One of some constants. */
export function oneOf<const C extends string | number | boolean>(...constants: readonly C[]): Shape<C> {
  return new Shape((value) => {
    if (constants.some((constant) => constant === value)) return undefined;
    return problem(`must be ${constants.map(show).join(' or ')}, is ${show(value)}`);
  });
}

/** A list. @param most items that it may have: with more none is looked at */
export function list<T>({ check }: Shape<T>, most: number = Number.POSITIVE_INFINITY): Shape<readonly T[]> {
  return new Shape((value) => {
    if (!Array.isArray(value)) return problem(`must be a list, is ${kindOf(value)}`);
    if (value.length > most) return problem(`may have at most ${most} items, has ${value.length}`);
    for (let i = 0; i < value.length; i += 1) {
      const found = check(value[i]);
      if (found !== undefined) return within(`[${i}]`, found);
    }
    return undefined;
  });
}

/** An object used as a map. */
export function record<T>({ check }: Shape<T>, keyProblem?: TextProblem): Shape<Readonly<Record<string, T>>> {
  return new Shape((value) => {
    if (!isRecord(value)) return problem(`must be an object, is ${kindOf(value)}`);
    for (const key of Object.keys(value)) {
      const wrong = keyProblem?.(key);
      const found = wrong === undefined ? check(value[key]) : problem(wrong);
      if (found !== undefined) return within(`[${JSON.stringify(key)}]`, found);
    }
    return undefined;
  });
}

/** An object with these fields and no other: a field this version does not know may narrow what is allowed. */
export function object<R extends Fields>(required: R): ObjectShape<ObjectOf<R, NoFields>>;
export function object<R extends Fields, O extends Fields>(
  required: R,
  optional: O,
): ObjectShape<ObjectOf<R, O>>;
export function object(required: Fields, optional: Fields = {}): AnyObjectShape {
  return new ObjectShape(required, optional);
}

/** An object with at least these fields: others are passed over, as in answers of programs that are not ours. */
export function part<R extends Fields>(required: R): ObjectShape<ObjectOf<R, NoFields>>;
export function part<R extends Fields, O extends Fields>(
  required: R,
  optional: O,
): ObjectShape<ObjectOf<R, O>>;
export function part(required: Fields, optional: Fields = {}): AnyObjectShape {
  return new ObjectShape(required, optional, 'ignored');
}

/**
 * As `object`, for a type `T` that is declared elsewhere. Each field of `T` has to be named, with a shape of its very type:
 * what `T` gains does not compile here until it is checked.
 */
export function objectFor<T>(required: RequiredFields<T>, optional: OptionalFields<T>): ObjectShape<T> {
  return new ObjectShape({ ...required }, { ...optional });
}

/** As `objectFor`, of an object with at least these fields: others are passed over. */
export function partFor<T>(required: RequiredFields<T>, optional: OptionalFields<T>): ObjectShape<T> {
  return new ObjectShape({ ...required }, { ...optional }, 'ignored');
}

/** An object whose field `tag` says which of some forms it has. */
export function tagged<const Tag extends string, F extends Readonly<Record<string, AnyObjectShape>>>(
  tag: Tag,
  forms: F,
): Shape<{ [K in keyof F]: Flat<{ readonly [_ in Tag]: K } & TypeOf<F[K]>> }[keyof F]> {
  const checks = new Map(
    Object.entries(forms).map(([name, form]): [string, Check] => [
      name,
      fieldsCheck({ [tag]: oneOf(name), ...form.required }, form.optional, 'refused'),
    ]),
  );
  const names = [...checks.keys()].join(', ');
  return new Shape((value) => {
    if (!isRecord(value)) return problem(`must be an object, is ${kindOf(value)}`);
    const form = Object.hasOwn(value, tag) ? value[tag] : undefined;
    const check = typeof form === 'string' ? checks.get(form) : undefined;
    if (check === undefined) return problem(`must be one of ${names}, is ${show(form)}`, `.${tag}`);
    return check(value);
  });
}

/** The same form, or null. */
export function nullable<T>({ check }: Shape<T>): Shape<T | null> {
  return new Shape((value) => (value === null ? undefined : check(value)));
}

/** The same form with further tests, each only once those before it passed. */
export function refined<T>(
  { check }: Shape<T>,
  ...tests: readonly ((value: T) => Problem | undefined)[]
): Shape<T> {
  return new Shape((value) => {
    const found = check(value);
    if (found !== undefined) return found;
    for (const test of tests) {
      const wrong = test(value as T); // its form has just been checked
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  });
}

function fieldsCheck(required: Fields, optional: Fields, others: 'refused' | 'ignored'): Check {
  const requiredNames = Object.keys(required);
  const checks = new Map(
    Object.entries({ ...required, ...optional }).map(([name, { check }]) => [name, check]),
  );
  return (value) => {
    if (!isRecord(value)) return problem(`must be an object, is ${kindOf(value)}`);
    for (const name of requiredNames) {
      if (!Object.hasOwn(value, name)) return problem('is missing', `.${name}`);
    }
    for (const name of Object.keys(value)) {
      const check = checks.get(name);
      if (check === undefined) {
        if (others === 'ignored') continue;
        return problem('is a field this version does not know', `.${name}`);
      }
      const found = check(value[name]);
      if (found !== undefined) return within(`.${name}`, found);
    }
    return undefined;
  };
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'missing';
  return Array.isArray(value) ? 'a list' : typeof value;
}

function show(value: unknown): string {
  return ['string', 'number', 'boolean'].includes(typeof value) ? JSON.stringify(value) : kindOf(value);
}

/** The same problem as seen from one level further out. */
function within(step: string, inner: Problem): Problem {
  return { path: step + inner.path, text: inner.text };
}
