/** Reads API objects field by field and collects what is wrong, each with its path, as the API server does. */

import { isRecord } from '../../common/shape.ts';
import { ownEntry } from '../key.ts';

/** One thing wrong with an object. */
export interface FieldError {
  /** Such as `spec.ingress[0].from[1].ipBlock.cidr`. */
  readonly path: string;
  /** In the API server's form: `Invalid value: 0: must be between 1 and 65535, inclusive`. */
  readonly message: string;
  /** The value was read and has a meaning; only its syntax is refused. */
  readonly legible?: true;
}

/** What reading an object found. */
export interface Findings {
  readonly errors: FieldError[];
  readonly warnings: string[];
}

/** Values in messages are cut to this many characters, so that an error stays one readable line. */
const MAX_SHOWN_CHARACTERS = 100;

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}...` : text;
}

/** A field of an API object, present or not. Readers report a wrong type and return undefined. */
export class Field {
  readonly value: unknown;
  readonly path: string;
  readonly findings: Findings;

  constructor(value: unknown, path: string, findings: Findings) {
    this.value = value;
    this.path = path;
    this.findings = findings;
  }

  /** Absent or null: the API takes both the same. */
  get isAbsent(): boolean {
    return this.value === undefined || this.value === null;
  }

  #report(message: string, legible = false): void {
    this.findings.errors.push({ path: this.path, message, ...(legible ? { legible } : {}) });
  }

  invalid(detail: string): void {
    this.#report(`Invalid value: ${show(this.value)}: ${detail}`);
  }

  /** Reports each problem as an invalid value. */
  invalidAll(details: readonly string[]): void {
    for (const detail of details) this.invalid(detail);
  }

  /** Reports each problem as an invalid value that was still read, because its meaning is clear. */
  malformedAll(details: readonly string[]): void {
    for (const detail of details) this.#report(`Invalid value: ${show(this.value)}: ${detail}`, true);
  }

  required(detail = ''): void {
    this.#report(detail === '' ? 'Required value' : `Required value: ${detail}`);
  }

  forbidden(detail: string): void {
    this.#report(`Forbidden: ${detail}`);
  }

  notSupported(supported: readonly string[]): void {
    this.#report(
      `Unsupported value: ${show(this.value)}: supported values: ${supported.map(show).join(', ')}`,
    );
  }

  warn(detail: string): void {
    this.findings.warnings.push(`${this.path}: ${detail}`);
  }

  /** A field of this object; absent when this is not an object, which `object` reports. */
  child(name: string): Field {
    const fields = this.#fields();
    const path = this.path === '' ? name : `${this.path}.${name}`;
    return new Field(fields === undefined ? undefined : ownEntry(fields, name), path, this.findings);
  }

  #fields(): Readonly<Record<string, unknown>> | undefined {
    return isRecord(this.value) ? this.value : undefined;
  }

  /** Whether this is an object, or absent. With `known`, fields of other names are warned about, as strict decoding does. */
  object(known?: readonly string[]): boolean {
    if (this.isAbsent) return true;
    const fields = this.#fields();
    if (fields === undefined) {
      this.invalid('must be an object');
      return false;
    }
    for (const name of known === undefined ? [] : Object.keys(fields)) {
      if (known?.includes(name)) continue;
      this.findings.warnings.push(`unknown field "${this.child(name).path}": it has no effect`);
    }
    return true;
  }

  /** The elements of a list; none when absent. */
  items(): Field[] {
    if (this.isAbsent) return [];
    if (!Array.isArray(this.value)) {
      this.invalid('must be a list');
      return [];
    }
    return this.value.map((item: unknown, i) => new Field(item, `${this.path}[${i}]`, this.findings));
  }

  /** A text. Undefined when absent or not a text. */
  text(): string | undefined {
    if (this.isAbsent) return undefined;
    if (typeof this.value === 'string') return this.value;
    this.invalid('must be a string');
    return undefined;
  }

  /** A text that is not empty. In most fields of the API an empty text means the same as an absent one. */
  filledText(): string | undefined {
    const text = this.text();
    return text === '' ? undefined : text;
  }

  /** A whole number. Undefined when absent or something else. */
  integer(): number | undefined {
    if (this.isAbsent) return undefined;
    if (typeof this.value === 'number' && Number.isInteger(this.value)) return this.value;
    this.invalid('must be a whole number');
    return undefined;
  }

  /** True or false; false when absent. */
  flag(): boolean {
    if (this.isAbsent || typeof this.value === 'boolean') return this.value === true;
    this.invalid('must be true or false');
    return false;
  }

  /** One of some words. Undefined when absent or something else. */
  word<T extends string>(words: readonly T[]): T | undefined {
    if (this.isAbsent) return undefined;
    const found = words.find((word) => word === this.value);
    if (found === undefined) this.notSupported(words);
    return found;
  }

  /** A map of texts; a null value is an empty text. Keys and values are not checked further. */
  textMap(): [Field, string, string][] {
    if (!this.object()) return [];
    return Object.entries(this.#fields() ?? {}).flatMap(([key, value]): [Field, string, string][] => {
      // What is no text is reported with its key, as decoding on apply does; a wrong text without, as validation does.
      const text = new Field(value ?? '', `${this.path}.${key}`, this.findings).text();
      return text === undefined ? [] : [[new Field(text, this.path, this.findings), key, text]];
    });
  }
}
