/** Flags of a command as a table: it reads the command line, and writes the help. */

/** One flag. */
export interface Flag {
  /** One letter, for `-f`. */
  readonly short?: string;
  /** What its value is called in the help; absent: it has none. */
  readonly value?: string;
  /** In the help. A line end is kept. */
  readonly help: string;
}

/** Flags by name, without the dashes. */
export type FlagTable<Name extends string = string> = Readonly<Record<Name, Flag>>;

/** Where the explanation of a flag begins in the help. */
const HELP_COLUMN = 27;

/** The lines of the help about some flags, with a line end each. */
export function flagLines(flags: FlagTable): string {
  return Object.entries(flags)
    .map(([name, { short, value, help }]) => {
      const names = `  ${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
      const [first, ...others] = help.split('\n');
      const lead =
        names.length < HELP_COLUMN - 1 ? names.padEnd(HELP_COLUMN) : `${names}\n${' '.repeat(HELP_COLUMN)}`;
      return [`${lead}${first}`, ...others.map((line) => `${' '.repeat(HELP_COLUMN)}${line}`)]
        .map((line) => `${line}\n`)
        .join('');
    })
    .join('');
}
