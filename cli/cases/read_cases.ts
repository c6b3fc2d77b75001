/** Reads files of cases: all that is wrong in them is found at once, each fault with its place. */
import { SluiceError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import { isRecord } from '../../common/shape.ts';
import { DEFAULT_NAMESPACE, dnsLabelProblems } from '../../policy/index.ts';
import { type FieldPath, locate, type Place, parseText, splitDocuments } from '../../sources/index.ts';
import { parseEndpointRef, parsePortRef } from '../can/index.ts';
import { didYouMean } from '../likeness.ts';
import { type Case, EXPECTATIONS, type Expectation } from './case.ts';
import { splitTarget } from './target.ts';

/** What is wrong in a file, and where. */
export interface CaseFault extends Place {
  readonly message: string;
}

/** What files of cases hold. */
export interface ReadCases {
  readonly cases: readonly Case[];
  readonly faults: readonly CaseFault[];
}

/** Texts of a case are names and addresses, or a sentence. Characters. */
const MAX_TEXT = 1_000;

/** Cases of one file, and of one command. Each costs up to a millisecond, and a line of output. */
export const MAX_CASES = 10_000;

/** Faults of one file after which no further document is read: nobody mends more at a time. */
const MAX_FAULTS = 1_000;

/** Fields without a meaning of which each is named; what has more of them is something else, and not looked at further. */
const MAX_STRANGE = 10;

const TOP_FIELDS = ['namespace', 'tests', '$schema'] as const;
const CASE_FIELDS = ['name', 'from', 'to', 'port', 'protocol', 'expect'] as const;

type Fields = Readonly<Record<string, unknown>>;
type Complain = (path: FieldPath, message: string) => void;

/**
 * Reads one file. Never throws for what it holds.
 * @param isNamespaceKnown whether names without a namespace have one where the file gives none; if not, they are faults, as in
 * `sluice can`
 */
export function readCases(file: string, text: string, isNamespaceKnown: boolean): ReadCases {
  let cases: readonly Case[] = [];
  const faults: CaseFault[] = [];
  const documents = splitDocuments(text);
  for (const document of documents) {
    // Aliases make thousands of cases of a line, and documents take a few bytes.
    if (cases.length > MAX_CASES || faults.length > MAX_FAULTS) break;
    const parsed = parseText(document.text);
    const inFile = (line: number) => document.line + line - 1;
    if (!parsed.ok) {
      const { line, column, message } = parsed;
      faults.push({ file, line: inFile(line), column, message: firstLine(message) });
      continue;
    }
    if (parsed.value === undefined) continue;
    const find = locate(document.text);
    const placeOf = (path: FieldPath): Place => {
      const { line, column } = find(path) ?? { line: 1, column: 1 };
      return { file, line: inFile(line), column };
    };
    const complain: Complain = (path, message) => faults.push({ ...placeOf(path), message });
    cases = [...cases, ...readDocument(parsed.value, isNamespaceKnown, placeOf, complain)];
  }
  return { cases, faults: faults.sort((a, b) => a.line - b.line || a.column - b.column) };
}

function readDocument(
  value: unknown,
  isNamespaceKnown: boolean,
  placeOf: (path: FieldPath) => Place,
  complain: Complain,
): readonly Case[] {
  if (!isRecord(value)) {
    complain([], `wants fields, of which one is tests, and is ${kindOf(value)}`);
    return [];
  }
  if (checkFields(value, TOP_FIELDS, [], complain) > MAX_STRANGE) return [];
  const namespace = readNamespace(value, complain);
  const { tests } = value;
  if (!Array.isArray(tests) || tests.length === 0) {
    complain(
      ['tests'],
      tests === undefined ? 'tests is missing' : 'tests wants a list of cases, at least one',
    );
    return [];
  }
  if (tests.length > MAX_CASES) {
    complain(['tests'], `there are more than ${MAX_CASES} cases: make several files of them`);
    return [];
  }
  return tests.flatMap((item: unknown, at) => {
    const path = ['tests', at];
    const read = readCase(
      item,
      path,
      namespace ?? (isNamespaceKnown ? DEFAULT_NAMESPACE : undefined),
      complain,
    );
    if (read === undefined) return [];
    return [{ ...read, place: placeOf(path), ...(namespace === undefined ? {} : { namespace }) }];
  });
}

function readNamespace({ namespace }: Fields, complain: Complain): string | undefined {
  if (namespace === undefined || namespace === null) return undefined;
  if (typeof namespace === 'string' && dnsLabelProblems(namespace).length === 0) return namespace;
  complain(['namespace'], `namespace is ${shown(namespace)}, which no namespace can be called`);
  return undefined;
}

/** @param namespace by which names without one are read: whether they are well-formed does not depend on which it is */
function readCase(
  item: unknown,
  path: FieldPath,
  namespace: string | undefined,
  complain: Complain,
): Omit<Case, 'place' | 'namespace'> | undefined {
  if (!isRecord(item)) {
    complain(path, `a case wants from, to and expect, and is ${kindOf(item)}`);
    return undefined;
  }
  const strange = checkFields(item, CASE_FIELDS, path, complain);
  if (strange > MAX_STRANGE) return undefined;
  let good = strange === 0;
  const refuse = (field: string, message: string): undefined => {
    complain(Object.hasOwn(item, field) ? [...path, field] : path, message);
    good = false;
    return undefined;
  };
  /** What the readers of `sluice can` say of a text. */
  const attempt = (field: string, read: () => unknown): void => {
    try {
      read();
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      refuse(field, error.message);
    }
  };
  const text = (field: string): string | undefined => {
    const value = item[field];
    if (typeof value !== 'string' || value === '')
      return refuse(
        field,
        value === undefined ? `${field} is missing` : `${field} wants a text, and is ${kindOf(value)}`,
      );
    return value.length > MAX_TEXT ? refuse(field, `${field} is longer than ${MAX_TEXT} characters`) : value;
  };
  const optional = (field: string) =>
    item[field] === undefined || item[field] === null ? undefined : text(field);
  const end = (field: string, value: string) =>
    attempt(field, () =>
      parseEndpointRef(value, {
        hasNamespace: () => false,
        ...(namespace === undefined ? {} : { namespace }),
      }),
    );

  const name = optional('name');
  const from = text('from');
  if (from !== undefined) end('from', from);
  const to = text('to');
  const target = to === undefined ? undefined : splitTarget(to);
  if (target !== undefined) end('to', target.end);
  const protocol = optional('protocol');
  const apart = typeof item.port === 'number' ? String(item.port) : optional('port');
  if (target?.port !== undefined && apart !== undefined)
    refuse('port', `${shown(to)} has its port: ${shown(apart)} is one too many`);
  const port = apart ?? target?.port;
  if (port !== undefined) attempt(apart === undefined ? 'to' : 'port', () => parsePortRef(port, protocol));
  else if (target !== undefined && good)
    refuse('to', `${shown(to)} needs a port: write ${suggestion(target.end)}`);
  const expect = readExpectation(item, refuse);
  if (
    !good ||
    from === undefined ||
    to === undefined ||
    target === undefined ||
    expect === undefined ||
    port === undefined
  )
    return undefined;
  return {
    question: { from, to: target.end, port, ...(protocol === undefined ? {} : { protocol }) },
    to: target.port === undefined ? `${to} ${port}` : to,
    expect,
    ...(name === undefined ? {} : { name }),
  };
}

function suggestion(end: string): string {
  return printable(end.includes(':') && !end.startsWith('[') ? `[${end}]:443` : `${end}:443`);
}

function readExpectation(
  { expect }: Fields,
  refuse: (field: string, message: string) => undefined,
): Expectation | undefined {
  const found = EXPECTATIONS.find((one) => one === expect);
  if (found !== undefined) return found;
  if (expect === undefined) return refuse('expect', 'expect is missing: allow or deny');
  const hint = typeof expect === 'string' ? didYouMean(expect, EXPECTATIONS) : '';
  return refuse('expect', `expect is ${shown(expect)}: wants allow or deny${hint}`);
}

/** @returns how many fields are not known */
function checkFields(value: Fields, known: readonly string[], path: FieldPath, complain: Complain): number {
  const strange = Object.keys(value).filter((key) => !known.includes(key));
  for (const key of strange.slice(0, MAX_STRANGE))
    complain(
      [...path, key],
      `there is no field ${shown(key)}${didYouMean(key, known) || `: there are ${known.join(', ')}`}`,
    );
  if (strange.length > MAX_STRANGE) complain(path, `${strange.length} fields have no meaning here`);
  return strange.length;
}

/** Characters of a value that a message repeats. */
const MAX_SHOWN = 80;

function shown(value: unknown): string {
  const text = typeof value === 'string' ? `'${value}'` : (JSON.stringify(value) ?? String(value));
  return printable(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);
}

function kindOf(value: unknown): string {
  if (value === null || value === '') return 'empty';
  if (Array.isArray(value)) return 'a list';
  return isRecord(value) ? 'a map of fields' : `${shown(value)}`;
}

function firstLine(message: string): string {
  const [line = ''] = message.split('\n');
  return line.replace(/ at line \d+, column \d+:?$/, '');
}
