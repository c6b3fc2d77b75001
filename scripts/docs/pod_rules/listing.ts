/** What a table has after commands of nft(8) have run: as `nft list table` shows it, without a kernel. */

/** A chain. */
export interface ListedChain {
  readonly name: string;
  /** `type filter hook ...`; absent where other chains lead to it. */
  readonly hook: string | undefined;
  readonly rules: readonly string[];
}

/** A set or a map. */
export interface ListedSet {
  readonly name: string;
  readonly elements: readonly string[];
}

/** A table. */
export interface Listing {
  readonly chains: readonly ListedChain[];
  readonly sets: readonly ListedSet[];
}

const COMMAND = /^(add|flush) (chain|rule|element) (?:inet|netdev) \w+ (\S+) ?(.*)$/;
const FLUSHED_SET = /^flush set /;

/** Reads the text of one transaction that makes a table. @throws Error at a line that is in no form that is known */
export function listingOf(text: string): Listing {
  const chains = new Map<string, { hook: string | undefined; rules: string[] }>();
  const sets = new Map<string, string[]>();
  const chain = (name: string) => {
    const known = chains.get(name) ?? { hook: undefined, rules: [] };
    chains.set(name, known);
    return known;
  };
  let open: string | undefined;
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (open !== undefined) {
      if (line === '}') open = undefined;
      else if (line.startsWith('type ')) chain(open).hook = line;
      else chain(open).rules.push(line);
      continue;
    }
    const [, begun, end] = /^chain (\S+) \{( \})?$/.exec(line) ?? [];
    const [, set] = /^(?:set|map) (\S+) \{.*\}$/.exec(line) ?? [];
    const [, verb, kind, name = '', rest = ''] = COMMAND.exec(line) ?? [];
    if (begun !== undefined) {
      chain(begun);
      if (end === undefined) open = begun;
    } else if (set !== undefined) sets.set(set, []);
    else if (kind === 'chain' && verb === 'add') chain(name).hook = /^\{ (.*) \}$/.exec(rest)?.[1];
    else if (kind === 'chain') chain(name).rules.length = 0;
    else if (kind === 'rule') chain(name).rules.push(rest);
    else if (kind === 'element') sets.get(name)?.push(...rest.slice(2, -2).split(', '));
    else if (!FLUSHED_SET.test(line) && !/^(?:(?:delete )?table .*|\}|)$/.test(line))
      throw new Error(`a line of rules in no form that is known: ${line}`);
  }
  return {
    chains: [...chains].map(([name, { hook, rules }]) => ({ name, hook, rules })),
    sets: [...sets].map(([name, elements]) => ({ name, elements })),
  };
}
