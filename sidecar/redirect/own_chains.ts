/** Chains of ours in a back end of iptables: whether they are there, and how they are taken out. */
import type { Family } from '../../native/index.ts';
import { tryTool } from '../kernel/index.ts';
import type { Chain } from './rules.ts';
import type { SavedRules } from './saved_rules.ts';
import { type Backend, iptables } from './tools.ts';

/** Takes chains out, and what leads to them. What is not there is no error. */
export async function removeChains(backend: Backend, family: Family, list: readonly Chain[]): Promise<void> {
  const program = iptables(backend, family);
  for (const { table, name, from } of list) {
    if (from !== undefined) await tryTool(program, ['-w', '-t', table, '-D', from, '-j', name]);
    await tryTool(program, ['-w', '-t', table, '-F', name]);
  }
  for (const { table, name } of list.toReversed()) await tryTool(program, ['-w', '-t', table, '-X', name]);
}

/** Whether the redirect's chains are there, whole or not. */
export function hasRedirect(saved: SavedRules): boolean {
  return saved.has('mangle', 'SLUICE_IN');
}
