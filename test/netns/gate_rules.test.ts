/** The gate's rules in a real kernel, in network namespaces of their own. */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { largeTable, withPeer } from '../../bench/large_table.ts';
import { inNetns } from '../../cli/lab/processes.ts';
import { closedPlan, type GatePlan } from '../../sidecar/gate/plan.ts';
import { GatePlanner, gatePlan } from '../../sidecar/gate/planner.ts';
import { changedRuleset, type GateSettings, wholeRuleset } from '../../sidecar/gate/ruleset.ts';
import { editedTables } from '../unit/sidecar/gate/edited_tables.ts';
import { table } from '../unit/sidecar/table_builder.ts';
import { run } from './command.ts';

const SETTINGS: GateSettings = { deny: 'drop', otherProtocols: 'drop', adminPort: 15_021 };

let netns = '';

beforeEach(async () => {
  netns = `sluice-t-${process.pid}-${randomBytes(3).toString('hex')}`;
  await run(['ip', 'netns', 'add', netns]);
});
afterEach(async () => {
  await run(['ip', 'netns', 'del', netns]);
});

/** One transaction; rejects with what the kernel says. */
function apply(text: string): Promise<void> {
  const [command = '', ...args] = inNetns(netns, ['nft', '-f', '-']);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'inherit', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (status) => (status === 0 ? resolve() : reject(new Error(said))));
    child.stdin.end(text);
  });
}

/** All the kernel has, in an order that does not depend on how it came there. */
async function listed(): Promise<readonly string[]> {
  const text = await run(inNetns(netns, ['nft', '-j', 'list table inet sluice']));
  const { nftables } = JSON.parse(text) as { nftables: Record<string, Record<string, unknown>>[] };
  return nftables
    .map((object) =>
      JSON.stringify(object, (key, value: unknown) =>
        key === 'handle' || key === 'metainfo' ? undefined : sorted(key, value),
      ),
    )
    .sort();
}

function sorted(key: string, value: unknown): unknown {
  return key === 'elem' && Array.isArray(value) ? value.map((one) => JSON.stringify(one)).sort() : value;
}

test('a change puts the same rules in the kernel as starting anew, on random tables', async () => {
  const property = fc.asyncProperty(editedTables(4), async (list) => {
    const planner = new GatePlanner();
    let before: GatePlan = closedPlan(['10.0.0.1']);
    await apply(wholeRuleset(before, SETTINGS));
    for (const one of list) {
      const after = planner.plan(one);
      const change = changedRuleset(before, after);
      if (change !== '') await apply(change);
      before = after;
    }
    const changed = await listed();
    await apply(wholeRuleset(before, SETTINGS));
    expect(changed).toEqual(await listed());
  });
  await fc.assert(property, { numRuns: 30 });
}, 120_000);

test('a transaction that the kernel refuses leaves the last good rules', async () => {
  await apply(wholeRuleset(gatePlan(table({ revision: 1, allowed: ['10.0.0.9'] })), SETTINGS));
  const good = await listed();
  const next = wholeRuleset(gatePlan(table({ revision: 2, allowed: ['10.0.0.8'] })), SETTINGS);
  await expect(
    apply(`${next}add element inet sluice in_pods4 { 10.0.0.7 : goto nowhere }\n`),
  ).rejects.toThrow();
  expect(await listed()).toEqual(good);
});

test('10,000 peers and 1,000 rules are one look-up each, and a new peer is one element', async () => {
  const planner = new GatePlanner();
  const large = largeTable();
  const plan = planner.plan(large);
  await apply(wholeRuleset(plan, SETTINGS));
  expect(plan.ingress.pods[4].size).toBe(10_000);
  expect(plan.ingress.accesses.size).toBeLessThanOrEqual(101);
  const next = planner.plan(withPeer(large, '10.250.0.1'));
  const change = changedRuleset(plan, next);
  expect(change).toMatch(/^add element inet sluice in_pods4 \{ 10\.250\.0\.1 : goto in_[0-9a-f]+ \}\n$/);
  await apply(change);
  const rules = (await listed()).filter(
    (object) => object.startsWith('{"rule"') && object.includes('"chain":"in_isolated"'),
  );
  expect(rules).toHaveLength(5);
});
