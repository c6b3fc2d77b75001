/** The regions of docs/internals/rules-of-a-pod.md. Each chain and rule has its sentence, or the page cannot be made. */
import { markdownTable } from '../regions.ts';
import { EXAMPLE_POLICY, exampleRules } from './example.ts';
import { type ListedChain, listingOf } from './listing.ts';
import { type ChainNote, FRAMES_NOTES, GATE_NOTES, GUARD_NOTES, REDIRECT_NOTES } from './notes.ts';

/** Rules, chains and sets of IPv6 say the same as those of IPv4, and are left out. */
const IPV6_RULE = /\bip6\b|\bicmpv6\b|nfproto ipv6|@\w+6\b/;
const IPV6_NAME = /^(?:in6|out6|in_icmp6|\w+[a-z_]6)$/;

/** The text of each region. */
export function podRuleRegions(): readonly (readonly [name: string, text: string])[] {
  const { gate, guard, frames, redirect } = exampleRules();
  const chains = redirect.map(({ table, name, from, rules }) => ({
    name: `${table} ${name}`,
    hook: from === undefined ? undefined : `-A ${from} -j ${name}`,
    rules,
  }));
  return [
    ['pod-policy', ['```yaml', EXAMPLE_POLICY, '```'].join('\n')],
    ['pod-sets', elementTable(gate)],
    ['pod-gate', annotated(listingOf(gate).chains, GATE_NOTES)],
    ['pod-guard', annotated(listingOf(guard).chains, GUARD_NOTES)],
    ['pod-frames', annotated(listingOf(frames).chains, FRAMES_NOTES)],
    ['pod-redirect', annotated(chains, REDIRECT_NOTES)],
  ];
}

/** Sets and maps that have elements of the plan. */
function elementTable(text: string): string {
  const filled = listingOf(text).sets.filter(
    ({ name, elements }) => elements.length > 0 && !IPV6_NAME.test(name),
  );
  return markdownTable(
    ['set or map', 'elements'],
    filled.map(({ name, elements }) => [`\`${name}\``, elements.map((one) => `\`${one}\``).join(', ')]),
  );
}

/** @throws Error where a chain or a rule has no sentence, or a sentence has no rule */
function annotated(all: readonly ListedChain[], notes: readonly ChainNote[]): string {
  const chains = all.filter(({ name }) => !IPV6_NAME.test(name) && !/^pick_(?!1$)/.test(name));
  for (const { name } of chains)
    if (!notes.some((note) => note.chains.test(name))) throw new Error(`no sentence for the chain ${name}`);
  return notes
    .map((note) =>
      section(
        note,
        chains.filter(({ name }) => note.chains.test(name)),
      ),
    )
    .join('\n\n');
}

function section(note: ChainNote, chains: readonly ListedChain[]): string {
  const rows = note.rules.map(([, does]) => ({ does, rules: new Set<string>() }));
  for (const { name, rules } of chains) {
    for (const rule of rules.filter((one) => !IPV6_RULE.test(one))) {
      const row = rows[note.rules.findIndex(([pattern]) => pattern.test(rule))];
      if (row === undefined) throw new Error(`no sentence for a rule of the chain ${name}: ${rule}`);
      row.rules.add(`\`${rule}\``);
    }
  }
  const unused = rows.find(({ rules }) => rules.size === 0);
  if (unused !== undefined || chains.length === 0)
    throw new Error(`a sentence without a chain or rule: ${note.about} ${unused?.does ?? ''}`);
  const names = chains.map(({ name }) => `\`${name}\``).join(', ');
  const hooks = chains.flatMap(({ hook }) => (hook === undefined ? [] : [`\`${hook.replace(/;$/, '')}\``]));
  const head = `**${names}**${hooks.length === 0 ? '' : ` (${hooks.join(', ')})`}: ${note.about}`;
  if (rows.length === 0) return head;
  return [
    head,
    '',
    markdownTable(
      ['rule', 'what it does'],
      rows.map(({ rules, does }) => [[...rules].join('<br>'), does]),
    ),
  ].join('\n');
}
