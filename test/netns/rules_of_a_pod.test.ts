/** What docs/internals/rules-of-a-pod.md shows is what a kernel has when these rules are put into it. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/index.ts';
import { exampleRules, POD_INTERFACE } from '../../scripts/docs/pod_rules/example.ts';
import { listingOf } from '../../scripts/docs/pod_rules/listing.ts';
import { restoreText } from '../../sidecar/redirect/rules.ts';
import { addNetns, netnsName, removeNetns } from '../support/netns.ts';
import { run } from './command.ts';

const netns = netnsName();
const rules = exampleRules();

beforeAll(async () => {
  addNetns(netns);
  await run(['ip', '-n', netns, 'link', 'add', POD_INTERFACE, 'type', 'veth', 'peer', 'name', 'node']);
});
afterAll(() => {
  removeNetns(netns);
});

/** Runs a command of the namespace that reads `text`; rejects with what it says. */
function feed(text: string, argv: readonly string[]): Promise<void> {
  const [command = '', ...args] = inNetns(netns, argv);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (status) => (status === 0 ? resolve() : reject(new Error(said))));
    child.stdin.end(text);
  });
}

interface NftObject {
  readonly chain?: { readonly name: string };
  readonly rule?: { readonly chain: string };
}

test.each([
  ['inet sluice', rules.gate],
  ['inet sluice_guard', rules.guard],
  ['netdev sluice_guard', rules.frames],
])('the kernel lists the same chains with as many rules: table %s', async (table, text) => {
  await feed(text, ['nft', '-f', '-']);
  const listed = await run(inNetns(netns, ['nft', '-j', `list table ${table}`]));
  const { nftables } = JSON.parse(listed) as { nftables: readonly NftObject[] };
  const names = nftables.flatMap(({ chain }) => chain?.name ?? []);
  const got = names.map((name) => [name, nftables.filter(({ rule }) => rule?.chain === name).length]);
  const shown = listingOf(text).chains.map(({ name, rules: { length } }) => [name, length]);
  expect(got.sort()).toEqual(shown.sort());
});

test('iptables lists the same rules of the redirect', async () => {
  await feed(restoreText(rules.redirect), ['iptables-nft-restore', '-w', '--noflush']);
  for (const { table, name, rules: shown } of rules.redirect) {
    const saved = await run(inNetns(netns, ['iptables-nft', '-t', table, '-S', name]));
    const got = saved.split('\n').filter((line) => line.startsWith('-A '));
    expect(got).toEqual(shown.map((rule) => `-A ${name} ${rule}`));
  }
});
