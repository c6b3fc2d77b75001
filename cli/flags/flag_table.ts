/** Flags of a command as a table: it reads the command line, and writes the help. */

/** One flag. */
export interface Flag {
  /** One letter, for `-f`. */
  readonly short?: string;
  /** What its value is called in the help; absent: it has none. */
  readonly value?: string;
  /** In the help. A line end is kept. */
  readonly help: string;
  /** Values that a shell offers, where there are few. */
  readonly choices?: readonly string[];
  /** What else a shell offers as its value. Default: files where the value is called FILE or PATH, else nothing. */
  readonly completes?: Completes;
}

/** What a word of a command line may be, for the completion of shells. */
export type Completes =
  | 'file'
  | 'namespace'
  | 'context'
  | 'lab'
  /** A pod, workload or Service, as `sluice can` takes them. */
  | 'endpoint'
  /** A pod or workload: what may be described. */
  | 'pod'
  /** A NetworkPolicy. */
  | 'netpol'
  /** Of a lab: a pod, a node or `outside`. */
  | 'target'
  | 'command'
  | 'nothing';

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
