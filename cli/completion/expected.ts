/** What is expected where the cursor is, by the table of commands. */
import type { CommandEntry, CommandShape, Positional } from '../command.ts';
import type { Flag } from '../flags/index.ts';

/** What a word may become. */
export interface Candidate {
  readonly value: string;
  /** In a few words. */
  readonly what?: string;
}

/** What is expected. */
export interface Expected {
  /** Of the word, which each candidate has before it: `--context=`. */
  readonly prefix: string;
  /** Kinds of names, or the candidates themselves. */
  readonly kind: Exclude<Positional, readonly string[]> | readonly Candidate[];
  /** Values of flags that stand on the line before. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/**
 * @param table of all commands
 * @param words what follows the program's name; the last is the one at the cursor
 */
export async function expectedAt(
  table: readonly CommandEntry[],
  words: readonly string[],
): Promise<Expected> {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const nothing: Expected = { prefix: '', kind: 'nothing', values: new Map() };
  const [name, ...rest] = before[0] === 'help' ? before.slice(1) : before;
  if (name === undefined) {
    const help: Candidate = { value: 'help', what: 'explains a command' };
    const flags = ['--help', '--version'].map((value) => ({ value }));
    const commands = table.map(({ name: value, summary }) => ({
      value,
      what: summary,
    }));
    const all = before.length > 0 ? commands : [...commands, help];
    return { ...nothing, kind: current.startsWith('-') ? flags : all };
  }
  const entry = table.find((one) => one.name === name);
  const shape = (await entry?.load())?.shape;
  return shape === undefined ? nothing : within(shape, rest, current, before[0] === 'help');
}

function within(shape: CommandShape, before: readonly string[], current: string, isHelp: boolean): Expected {
  const { commands } = shape;
  if (commands.length > 0) {
    const [name, ...rest] = before;
    const below = commands.find((one) => one.name === name)?.run.shape;
    if (below !== undefined) return within(below, rest, current, isHelp);
    const kind = name === undefined ? commands.map((one) => ({ value: one.name, what: one.summary })) : [];
    return { prefix: '', kind, values: new Map() };
  }
  if (isHelp) return { prefix: '', kind: 'nothing', values: new Map() };
  return ofCommand(shape, before, current);
}

function ofCommand(
  { flags, positionals }: CommandShape,
  before: readonly string[],
  current: string,
): Expected {
  const values = new Map<string, string[]>();
  const keep = (flag: string, value: string): void =>
    void values.set(flag, [...(values.get(flag) ?? []), value]);
  let open: readonly [string, Flag] | undefined;
  let count = 0;
  for (const word of before) {
    if (word === '--') return { prefix: '', kind: 'command', values };
    if (open !== undefined) {
      keep(open[0], word);
      open = undefined;
      continue;
    }
    if (!word.startsWith('-') || word === '-') {
      count += 1;
      continue;
    }
    const [, text = word, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
    const found = flagOf(flags, text);
    if (found === undefined) continue;
    if (value !== undefined) keep(found[0], value);
    else if (found[1].value === undefined) keep(found[0], '');
    else open = found;
  }
  if (open !== undefined) return { prefix: '', kind: kindOf(open[1]), values };
  const [, prefix = '', name = ''] = /^((--[^=]+)=)/.exec(current) ?? [];
  const assigned = prefix === '' ? undefined : flagOf(flags, name);
  if (assigned !== undefined) return { prefix, kind: kindOf(assigned[1]), values };
  if (current.startsWith('-')) return { prefix: '', kind: flagCandidates(flags), values };
  return { prefix: '', kind: positionalKind(positionals[Math.min(count, positionals.length - 1)]), values };
}

function positionalKind(positional: Positional = 'nothing'): Expected['kind'] {
  return typeof positional === 'string' ? positional : positional.map((value) => ({ value }));
}

/** By `--name` or `-n`. */
function flagOf(flags: CommandShape['flags'], word: string): readonly [string, Flag] | undefined {
  return Object.entries(flags).find(([name, { short }]) => word === `--${name}` || word === `-${short}`);
}

/** Where a flag does not say what its value is, its name in the help does. */
function kindOf({ choices, completes, value = '' }: Flag): Expected['kind'] {
  if (choices !== undefined) return choices.map((one) => ({ value: one }));
  return completes ?? (['FILE', 'PATH'].includes(value) ? 'file' : 'nothing');
}

function flagCandidates(flags: CommandShape['flags']): readonly Candidate[] {
  return Object.entries(flags).map(([name, { help }]) => ({
    value: `--${name}`,
    what: help.split('\n')[0] ?? '',
  }));
}
