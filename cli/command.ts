/** What commands made here have: help, the flags that these share, a time limit, colours, progress. */
import { SluiceError } from '../common/errors.ts';
import {
  type Completes,
  durationMs,
  type FlagTable,
  type FlagValues,
  flagLines,
  readFlags,
} from './flags/index.ts';
import { createOutput, type Output } from './output.ts';
import {
  COLOR_CHOICES,
  createProgress,
  createStyle,
  foldText,
  type Progress,
  type Style,
} from './terminal/index.ts';

/** Runs a command: takes what follows its name, and resolves to the exit code. */
export type RunCommand = ((argv: readonly string[]) => Promise<number>) & {
  /** What may stand on its command line; absent: that is not known. */
  readonly shape?: CommandShape;
};

/** A command of which it is known. */
export type ShapedCommand = RunCommand & { readonly shape: CommandShape };

/** What may stand on a command line, for the completion of shells. */
export interface CommandShape {
  /** What `--help` prints. */
  readonly help: string;
  readonly flags: FlagTable;
  /** What is no flag, in order. The last of them may come more than once. */
  readonly positionals: readonly Positional[];
  /** Commands below this one. */
  readonly commands: readonly Subcommand[];
}

/** What a word that is no flag may be, for the completion of shells: a kind of names, or one of a few words. */
export type Positional = Completes | readonly string[];

/** A command below another. */
export interface Subcommand {
  readonly name: string;
  readonly summary: string;
  readonly run: RunCommand;
}

/** One command of the table. */
export interface CommandEntry {
  readonly name: string;
  /** For the list of commands. */
  readonly summary: string;
  /** What it needs is read only when it runs: the command starts in a fraction of a second. */
  load(): Promise<RunCommand>;
}

/** Exit codes. An error is 2, and has a message on stderr; see `main.ts`. */
export const EXIT = { yes: 0, no: 1, error: 2 } as const;

/** What a command runs with. */
export interface CommandContext {
  readonly stdout: Output;
  readonly style: Style;
  readonly progress: Progress;
  /** Aborted when the time of `--timeout` is over. */
  readonly signal: AbortSignal;
  /**
   * Says so by throwing once that time is over. For long work that leaves no turn to timers, and so to `signal`.
   * @throws SluiceError `TIMED_OUT`
   */
  readonly checkTime: () => void;
}

/** A command, described. */
export interface CommandSpec<Name extends string> {
  /** As people write it. */
  readonly name: string;
  /** What the help has before the flags: usage, an empty line, what it is for. Ends with a line end. */
  readonly help: string;
  /** Those that all commands have come after them by themselves. */
  readonly flags: FlagTable<Name>;
  /** What the help has after the flags, such as the exit codes. */
  readonly afterFlags: string;
  /** What its positionals are, in order, for the completion of shells. Default: there are none. */
  readonly positionals?: readonly Positional[];
  /** When its time is over, it cleans up by itself, and is waited for. */
  readonly cleansUp?: boolean;
  /** How many positionals it wants; what follows `-f` beyond them are paths. */
  wanted(positionals: readonly string[], has: (name: Name | CommonFlag) => boolean): number;
  /** @throws SluiceError for what people have done wrong or the system cannot do */
  run(values: FlagValues<Name | CommonFlag>, context: CommandContext): Promise<number>;
}

const COMMON_FLAGS = {
  color: {
    value: 'WHEN',
    help: 'auto (the default: on a terminal, and not with NO_COLOR), always or never',
    choices: COLOR_CHOICES,
  },
  timeout: { value: 'TIME', help: 'give up after this long, such as 30s or 2m; the exit code is then 124' },
  help: { short: 'h', help: 'this text' },
} as const satisfies FlagTable;

/** The flags that every command made by `createCommand` has. */
export type CommonFlag = keyof typeof COMMON_FLAGS;

/** Makes a command of its description. */
export function createCommand<Name extends string>(spec: CommandSpec<Name>): ShapedCommand {
  const flags: FlagTable<Name | CommonFlag> = { ...spec.flags, ...COMMON_FLAGS };
  const help = `${spec.help}\nFlags:\n${flagLines(flags)}\n${spec.afterFlags}`;
  const run = async (argv: readonly string[]): Promise<number> => {
    const stdout = createOutput(process.stdout);
    if (asksForHelp(argv)) {
      await stdout.write(foldText(help));
      return EXIT.yes;
    }
    const values = readFlags(argv, { command: spec.name, flags, wanted: spec.wanted });
    const color = choice(values.text('color') ?? 'auto', COLOR_CHOICES, '--color', spec.name);
    const progress = createProgress(process.stderr);
    const timeout = values.text('timeout');
    // Before the work starts: a wrong flag has no answer beside it.
    const limitMs = timeout === undefined ? undefined : durationMs(timeout, '--timeout');
    const limit = new AbortController();
    const endMs = limitMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + limitMs;
    const work = spec.run(values, {
      stdout,
      style: createStyle(color, process.stdout),
      progress,
      signal: limit.signal,
      checkTime: () => {
        if (limitMs !== undefined && performance.now() >= endMs) throw timedOut(limitMs);
      },
    });
    try {
      return limitMs === undefined ? await work : await within(work, limitMs, limit, spec.cleansUp ?? false);
    } finally {
      progress.end();
    }
  };
  return Object.assign(run, { shape: { help, flags, positionals: spec.positionals ?? [], commands: [] } });
}

/** Whether there is a `-h` or `--help` among the flags: then nothing else has to be right. */
function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).some((word) => word === '-h' || word === '--help');
}

function timedOut(ms: number): SluiceError {
  return new SluiceError('TIMED_OUT', `not done after ${ms / 1000} s (--timeout)`);
}

/** @throws SluiceError `TIMED_OUT` */
async function within(
  work: Promise<number>,
  ms: number,
  limit: AbortController,
  cleansUp: boolean,
): Promise<number> {
  const { promise, reject } = Promise.withResolvers<never>();
  const over = timedOut(ms);
  const timer = setTimeout(() => {
    limit.abort();
    if (!cleansUp) reject(over);
  }, ms);
  try {
    const code = await Promise.race([work, promise]);
    if (!limit.signal.aborted) return code;
  } catch (error) {
    if (!limit.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
  }
  throw over;
}

/**
 * The value of a flag that has to be one of a few.
 * @throws SluiceError `USAGE`
 */
export function choice<const Choice extends string>(
  value: string,
  choices: readonly Choice[],
  flag: string,
  command: string,
): Choice {
  const found = choices.find((one) => one === value);
  if (found !== undefined) return found;
  const listed = [choices.slice(0, -1).join(', '), choices.at(-1)].filter((part) => part !== '').join(' or ');
  throw new SluiceError('USAGE', `${flag} is '${value}': wants ${listed} (see sluice ${command} --help)`);
}
