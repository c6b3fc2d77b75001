/** Reads a command line by its table of flags. */
import type { ParseArgsOptionsConfig } from 'node:util';
import type { FlagTable } from './flag_table.ts';
import { parseStrictly } from './strict_parse.ts';

/** What stands on a command line. */
export interface FlagValues<Name extends string = string> {
  /** The value of a flag, the last where it is there twice. */
  text(name: Name): string | undefined;
  /** All values of a flag. */
  list(name: Name): readonly string[];
  /** Whether a flag is there. */
  has(name: Name): boolean;
  /** What is no flag, and no value of one. */
  readonly positionals: readonly string[];
  /** Those of them that follow `--`; undefined where there is none. */
  readonly afterDashes?: readonly string[];
}

/** What a command line is read by. */
export interface FlagReader<Name extends string> {
  /** The command, for messages. */
  readonly command: string;
  readonly flags: FlagTable<Name>;
  /**
   * How many positionals the command wants of these. A shell makes `-f a.yaml b.yaml` of `-f *.yaml`: what is more than
   * that and follows a `-f` belongs to it.
   */
  wanted(positionals: readonly string[], has: (name: Name) => boolean): number;
}

/** The flag that takes what a shell makes of a pattern. */
const FILE = 'file';

/** @throws SluiceError `USAGE` */
export function readFlags<Name extends string>(
  argv: readonly string[],
  { command, flags, wanted }: FlagReader<Name>,
): FlagValues<Name> {
  const options: ParseArgsOptionsConfig = {};
  for (const [name, { short, value }] of Object.entries<FlagTable[string]>(flags))
    options[name] = {
      type: value === undefined ? 'boolean' : 'string',
      multiple: true,
      ...(short === undefined ? {} : { short }),
    };
  const {
    values,
    tokens,
    positionals: all,
  } = parseStrictly(
    { args: [...argv], options, allowPositionals: true, strict: true, tokens: true } as const,
    command,
  );
  const has = (name: Name): boolean => values[name] !== undefined;
  let surplus = all.length - wanted(all, has);
  const positionals: string[] = [];
  const files: string[] = [];
  let afterFile = false;
  let afterDashes: string[] | undefined;
  for (const token of tokens) {
    if (token.kind === 'option') {
      afterFile = token.name === FILE;
      if (afterFile && token.value !== undefined) files.push(token.value);
    } else if (token.kind === 'option-terminator') {
      afterDashes = [];
    } else {
      afterDashes?.push(token.value);
      if (afterFile && surplus > 0) {
        files.push(token.value);
        surplus -= 1;
      } else {
        positionals.push(token.value);
        afterFile = false;
      }
    }
  }
  const list = (name: Name): readonly string[] => {
    if (name === FILE) return files;
    const found = values[name];
    return Array.isArray(found) ? found.filter((one) => typeof one === 'string') : [];
  };
  const after = afterDashes === undefined ? {} : { afterDashes };
  return { text: (name) => list(name).at(-1), list, has, positionals, ...after };
}
