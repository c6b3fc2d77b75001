/** The rules of a back end of iptables, as one command lists them all. */
import { messageOf } from '../../common/errno.ts';
import type { Family } from '../../native/index.ts';
import { tryTool } from '../kernel/index.ts';
import type { Chain } from './rules.ts';
import { type Backend, iptables, toolError } from './tools.ts';

/** What a back end has for one family. */
export class SavedRules {
  /** By table and chain, such as `mangle SLUICE_IN`: the rules as the tools print them. */
  readonly #chains = new Map<string, string[]>();
  /** Why it cannot be seen: a tool or what the kernel needs for it is missing. A sentence for people. */
  readonly problem: string | undefined;
  /** The same, for who cannot go on without. */
  readonly failure: unknown;

  /** @param text of iptables-save */
  constructor(text: string, problem?: string, failure?: unknown) {
    this.problem = problem;
    this.failure = failure;
    let table = '';
    for (const line of text.split('\n')) {
      const [, newTable, declared, chain = '', rule = ''] =
        /^(?:\*(\S+)|:(\S+) .*|-A (\S+) (.*))$/.exec(line) ?? [];
      if (newTable !== undefined) table = newTable;
      else if (declared !== undefined) this.#chains.set(`${table} ${declared}`, []);
      else this.#chains.get(`${table} ${chain}`)?.push(rule);
    }
  }

  /** Whether there is a chain of this name, with any rules. */
  has(table: Chain['table'], name: string): boolean {
    return this.#chains.has(`${table} ${name}`);
  }

  /** Whether the built-in chain leads to this one; true where none has to. */
  isReached({ table, name, from }: Chain): boolean {
    return from === undefined || this.#chains.get(`${table} ${from}`)?.includes(`-j ${name}`) === true;
  }

  /**
   * Whether a chain is there as it should be, and is reached. False also where this version of the tools prints a rule otherwise than it
   * was written: who needs to know then asks for each rule.
   */
  holds(chain: Chain): boolean {
    const found = this.#chains.get(`${chain.table} ${chain.name}`);
    return this.isReached(chain) && found?.join('\n') === chain.rules.join('\n');
  }

  /** The rules of a table, a line each, as `iptables -S` prints them. */
  listed(table: Chain['table']): string {
    const lines = [...this.#chains].flatMap(([key, rules]) => {
      const [of, name] = key.split(' ');
      return of === table ? rules.map((rule) => `-A ${name} ${rule}\n`) : [];
    });
    return lines.join('');
  }
}

/**
 * Reads what is there. Saving changes nothing, where listing would make the legacy back end create its tables.
 * @returns nothing in it, and why, where the back end is not to be had
 */
export async function savedRules(backend: Backend, family: Family): Promise<SavedRules> {
  const program = iptables(backend, family, '-save');
  try {
    const { status, stdout, stderr } = await tryTool(program, []);
    if (status === 0) return new SavedRules(stdout);
    const said = `${program} failed: ${stderr.trim().replaceAll('\n', '; ')}`;
    return new SavedRules('', said, toolError(program, [], stderr));
  } catch (error) {
    return new SavedRules('', messageOf(error), error);
  }
}
