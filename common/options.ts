/**
 * A program's options: each is an environment variable and a flag of the same meaning, described once in a table.
 * The flag wins over the variable, the variable over the default. The tables also make the help text and the docs.
 */
import { parseArgs } from 'node:util';
import { firstSentenceOf } from './errno.ts';
import { SluiceError, unreachable } from './errors.ts';
import { MAX_PORT } from './net.ts';
import { shown } from './shown.ts';

/** One option. `default` absent: required where the program needs it; the empty text counts as absent. */
export interface OptionSpec {
  /** Environment variable, such as `SLUICE_ADMIN_PORT`. */
  readonly env: string;
  /** Flag without the dashes, such as `admin-port`. */
  readonly flag: string;
  readonly kind: OptionKind;
  readonly default?: string;
  readonly description: string;
}

/** What an option's text must be. Integer bounds are inclusive. A list is separated by commas. */
export type OptionKind =
  | { readonly type: 'text' }
  | { readonly type: 'list' }
  | { readonly type: 'integer'; readonly min: number; readonly max: number }
  | { readonly type: 'choice'; readonly choices: readonly string[] };

/** Kind of a TCP port. */
export const PORT: OptionKind = { type: 'integer', min: 1, max: MAX_PORT };

/** Checked values of one program run, by environment variable. */
export class OptionValues {
  readonly #specs: readonly OptionSpec[];
  readonly #texts: ReadonlyMap<string, string>;

  constructor(specs: readonly OptionSpec[], texts: ReadonlyMap<string, string>) {
    this.#specs = specs;
    this.#texts = texts;
  }

  /** @throws SluiceError `CONFIG_INVALID` when it has neither value nor default. */
  text(env: string): string {
    const text = this.#texts.get(env) ?? '';
    if (text !== '') return text;
    const flag = this.#specs.find((spec) => spec.env === env)?.flag;
    throw new SluiceError('CONFIG_INVALID', `${env} is required: set it, or give --${flag}`);
  }

  /** The value, or `undefined` where it has neither value nor default. */
  optionalText(env: string): string | undefined {
    return this.#texts.get(env) || undefined;
  }

  /**
   * The value, as one of the choices of its option.
   * @param choices those of the option's kind
   * @throws SluiceError `CONFIG_INVALID` as `text` does, or where it is none of the choices
   */
  choice<Choice extends string>(env: string, choices: readonly Choice[]): Choice {
    const text = this.text(env);
    const chosen = choices.find((one) => one === text);
    if (chosen !== undefined) return chosen;
    throw notAChoice(env, text, choices);
  }

  /** @throws SluiceError `CONFIG_INVALID` as `text` does. */
  integer(env: string): number {
    return Number(this.text(env));
  }

  /** Items trimmed, empty ones left out; no value is an empty list. */
  list(env: string): readonly string[] {
    return (this.#texts.get(env) ?? '')
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }
}

/**
 * Reads and checks all options; positional arguments come back in order.
 * @throws SluiceError `CONFIG_INVALID` naming the variable or flag with the wrong value.
 */
export function readOptions(
  specs: readonly OptionSpec[],
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { values: OptionValues; positionals: readonly string[]; help: boolean } {
  const parsed = parseFlags(specs, argv);
  const help = parsed.values.help === true;
  const texts = new Map<string, string>();
  for (const spec of specs) {
    const flag = parsed.values[spec.flag];
    const text = typeof flag === 'string' ? flag : env[spec.env] || spec.default || '';
    if (!help) checkText(spec, text, typeof flag === 'string' ? `--${spec.flag}` : spec.env);
    texts.set(spec.env, text);
  }
  return {
    values: new OptionValues(specs, texts),
    positionals: parsed.positionals,
    help,
  };
}

/** What of an environment sets some options: to hand on to another program that has them. */
export function environmentOf(
  specs: readonly OptionSpec[],
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const set: [string, string][] = [];
  for (const { env: name } of specs) {
    const text = env[name];
    if (text) set.push([name, text]);
  }
  return Object.fromEntries(set);
}

/** The options as help text, one line each. */
export function describeOptions(specs: readonly OptionSpec[]): string {
  const width = Math.max(...specs.map((spec) => spec.flag.length + spec.env.length)) + 6;
  return specs
    .map((spec) => {
      const names = `--${spec.flag}, ${spec.env}`.padEnd(width);
      return `  ${names} ${spec.description}${spec.default ? ` (default ${spec.default})` : ''}`;
    })
    .join('\n');
}

function parseFlags(specs: readonly OptionSpec[], argv: readonly string[]) {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  };
  for (const spec of specs) options[spec.flag] = { type: 'string' };
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true, strict: true });
  } catch (cause) {
    throw new SluiceError('CONFIG_INVALID', `${firstSentenceOf(cause)} (see --help)`, { cause });
  }
}

function checkText(spec: OptionSpec, text: string, name: string): void {
  if (text === '') return;
  const { kind } = spec;
  switch (kind.type) {
    case 'text':
    case 'list':
      return;
    case 'integer': {
      const value = Number(text);
      if (/^\d+$/.test(text) && value >= kind.min && value <= kind.max) return;
      throw new SluiceError(
        'CONFIG_INVALID',
        `${name} is '${shown(text)}': wants a whole number ${kind.min}-${kind.max}`,
      );
    }
    case 'choice':
      if (kind.choices.includes(text)) return;
      throw notAChoice(name, text, kind.choices);
    default:
      return unreachable(kind);
  }
}

function notAChoice(name: string, text: string, choices: readonly string[]): SluiceError {
  return new SluiceError('CONFIG_INVALID', `${name} is '${shown(text)}': wants one of ${choices.join(', ')}`);
}
