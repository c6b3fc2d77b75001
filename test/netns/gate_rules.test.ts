/** The gate's rules in a real kernel, in network namespaces of their own. */

import { spawn } from 'node:child_process';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { largeTable, withPeer } from '../../bench/large_table.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { type Table, tableJson } from '../../policy/index.ts';
import { netlinkElements } from '../../sidecar/gate/kernel/netlink_elements.ts';
import { nftText } from '../../sidecar/gate/kernel/nft_text.ts';
import { wholeRuleset } from '../../sidecar/gate/kernel/ruleset.ts';
import type { GateSettings } from '../../sidecar/gate/kernel/settings.ts';
import { gateChanges } from '../../sidecar/gate/plan/gate_changes.ts';
import { closedPlan, type GatePlan } from '../../sidecar/gate/plan/plan.ts';
import { GatePlanner } from '../../sidecar/gate/plan/planner.ts';
import { atOnce } from '../../sidecar/gate/plan/steps.ts';
import { INJECTOR_MARK } from '../../sidecar/kernel/injector_mark.ts';
import type { ElementChange } from '../../sidecar/kernel/nft_elements.ts';
import { groupOf, table, withPolicies } from '../builders/tables.ts';
import { addNetns, netnsName, removeNetns } from '../support/netns.ts';
import { editedTables } from '../unit/sidecar/gate/edited_tables.ts';
import { gatePlan } from '../unit/sidecar/gate/gate_plan.ts';
import { run } from './command.ts';

const SETTINGS: GateSettings = { deny: 'drop', otherProtocols: 'drop', adminPort: 15_021 };

let netns = '';

beforeEach(() => {
  netns = netnsName();
  addNetns(netns);
});
afterEach(() => {
  removeNetns(netns);
});

/** One transaction, or another command that reads `text`; rejects with what it says. @returns its output */
function apply(text: string, argv: readonly string[] = ['nft', '-f', '-']): Promise<string> {
  const [command = '', ...args] = inNetns(netns, argv);
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (status) => (status === 0 ? resolve(output) : reject(new Error(said))));
    child.stdin.end(text);
  });
}

function rulesOf(plan: GatePlan): string {
  return atOnce(wholeRuleset(plan, SETTINGS));
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

const GATE = new URL('../../sidecar/gate/kernel/gate.ts', import.meta.url).href;
const KERNEL_RULES = new URL('../../sidecar/gate/kernel/kernel_rules.ts', import.meta.url).href;
const PLAN = new URL('../../sidecar/gate/plan/index.ts', import.meta.url).href;
const POLICY = new URL('../../policy/index.ts', import.meta.url).href;

/** Has a gate enforce tables one after the other, and then a fresh gate enforce the last one. */
async function enforced(tables: readonly Table[]): Promise<{ replaced: number; states: string[] }> {
  const script = `
    import { Gate } from ${JSON.stringify(GATE)};
    import { readTable } from ${JSON.stringify(POLICY)};
    import { text } from 'node:stream/consumers';
    const tables = JSON.parse(await text(process.stdin)).map((one) => readTable(one));
    let replaced = 0;
    const states = [];
    const note = (state) => () => states.push(state);
    const events = {
      inForce: note('in-force'), closed: note('closed'), failed: note('failed'), unavailable: note('unavailable'),
      beforeReplace: async () => {}, replaced: () => (replaced += 1),
    };
    const gate = new Gate(${JSON.stringify(SETTINGS)}, ['10.0.0.1'], events);
    for (const [index, table] of tables.entries()) await gate.enforce(table, index + 1);
    gate.close();
    console.log(JSON.stringify({ replaced, states }));`;
  const argv = [process.execPath, '--input-type=module', '-e', script];
  return JSON.parse(await apply(JSON.stringify(tables.map(tableJson)), argv));
}

test('changes put the same rules in the kernel as a fresh start does, on random tables', async () => {
  const property = fc.asyncProperty(editedTables(5), async (list) => {
    fc.pre(changesElements(list));
    expect(await enforced(list)).toEqual({ replaced: 1, states: list.map(() => 'in-force') });
    const changed = await listed();
    expect(await enforced(list.slice(-1))).toMatchObject({ replaced: 1 });
    expect(changed).toEqual(await listed());
  });
  await fc.assert(property, { numRuns: 12 });
}, 180_000);

test('changes of members have one socket, which a gate that is closed gives back', async () => {
  const first = largeTable(100);
  const second = withPeer(first, '10.0.9.1', 'g0');
  const third = withPeer(second, '10.0.9.2', 'g0');
  const tables = [first, second, third, { ...first, revision: third.revision + 1 }].map(tableJson);
  const script = `
    import { readdirSync, readlinkSync } from 'node:fs';
    import { text } from 'node:stream/consumers';
    import { setTimeout as sleep } from 'node:timers/promises';
    import { Gate } from ${JSON.stringify(GATE)};
    import { readTable } from ${JSON.stringify(POLICY)};
    const sockets = () => readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const target = readlinkSync('/proc/self/fd/' + fd);
        return target.startsWith('socket:') ? [target] : [];
      } catch {
        return [];
      }
    });
    const tables = JSON.parse(await text(process.stdin));
    const before = new Set(sockets());
    const own = () => sockets().filter((one) => !before.has(one));
    let replaced = 0;
    const nothing = () => {};
    const events = {
      inForce: nothing, closed: nothing, failed: nothing, unavailable: nothing,
      beforeReplace: async () => {}, replaced: () => (replaced += 1),
    };
    const gate = new Gate(${JSON.stringify(SETTINGS)}, ['10.0.0.1'], events);
    const kept = [];
    for (const [index, json] of tables.entries()) {
      await gate.enforce(readTable(json), index + 1);
      kept.push(own());
    }
    gate.close();
    while (own().length > 0) await sleep(10);
    console.log(JSON.stringify({ replaced, kept }));`;
  const { replaced, kept } = JSON.parse(
    await apply(JSON.stringify(tables), [process.execPath, '--input-type=module', '-e', script]),
  ) as { replaced: number; kept: string[][] };
  expect(replaced).toBe(1);
  const [whole, ...changes] = kept;
  expect(whole).toEqual([]);
  expect(changes.map((sockets) => sockets.length)).toEqual([1, 1, 1]);
  expect(new Set(changes.flat()).size).toBe(1);
});

/**
 * Has the kernel follow tables, with the access that most pods have in a set, and reads after each table which access each pod has.
 * @param commonMin pods that an access has to have for a set of its own
 */
async function followed(
  tables: readonly Table[],
  commonMin: number,
): Promise<{ replaced: number; wrong: string[]; sets: number; inSets: number }> {
  const script = `
    import { execFileSync } from 'node:child_process';
    import { text } from 'node:stream/consumers';
    import { KernelRules } from ${JSON.stringify(KERNEL_RULES)};
    import { atOnce, GatePlanner } from ${JSON.stringify(PLAN)};
    import { readTable } from ${JSON.stringify(POLICY)};
    const tables = JSON.parse(await text(process.stdin)).map((one) => readTable(one));
    let [replaced, sets, inSets] = [0, 0, 0];
    const wrong = [];
    const events = { beforeReplace: async () => {}, replaced: () => (replaced += 1) };
    const rules = new KernelRules(${JSON.stringify(SETTINGS)}, events, ${commonMin});
    const planner = new GatePlanner();
    for (const table of tables) {
      const plan = { ...atOnce(planner.plan(table)), injectors: [] };
      await rules.enforce(plan);
      const { nftables } = JSON.parse(execFileSync('nft', ['-j', 'list table inet sluice'], { maxBuffer: 2 ** 28 }));
      const named = (kind, name) => nftables.find((one) => one[kind]?.name === name)?.[kind];
      for (const [direction, way] of [['ingress', 'in'], ['egress', 'out']])
        for (const family of [4, 6]) {
          const set = way + '_common' + family;
          const rule = nftables.find(({ rule }) => rule?.expr.some(({ match }) => match?.right === '@' + set))?.rule;
          const chain = rule?.expr.at(-1).goto.target;
          const members = named('set', set)?.elem ?? [];
          if (rule !== undefined) sets += 1;
          inSets += members.length;
          const found = new Map([
            ...members.map((address) => [address, chain]),
            ...(named('map', way + '_pods' + family)?.elem ?? []).map(([key, to]) => [key, to.goto.target]),
          ]);
          const ids = new Map([...plan[direction].pods[family]].map(([key, id]) => [key, way + '_' + id]));
          const keys = new Set([...found.keys(), ...ids.keys()]);
          for (const key of keys)
            if (found.get(key) !== ids.get(key))
              wrong.push([table.revision, direction, key, found.get(key), ids.get(key)].join(' '));
        }
    }
    rules.close();
    console.log(JSON.stringify({ replaced, wrong, sets, inSets }));`;
  const argv = [process.execPath, '--input-type=module', '-e', script];
  return JSON.parse(await apply(JSON.stringify(tables.map(tableJson)), argv));
}

test('each pod has its access, in the set of most pods or in the map, on random tables', async () => {
  let [sets, inSets] = [0, 0];
  const property = fc.asyncProperty(editedTables(5), async (list) => {
    const outcome = await followed(list, 1);
    expect(outcome).toMatchObject({ replaced: 1, wrong: [] });
    sets += outcome.sets;
    inSets += outcome.inSets;
  });
  await fc.assert(property, { numRuns: 10 });
  expect(sets).toBeGreaterThan(0);
  expect(inSets).toBeGreaterThan(0);
}, 180_000);

test('a pod among many with one access is an element of a set, and the set follows a policy that changes', async () => {
  const addresses = Array.from({ length: 1_500 }, (_, i) => `10.3.${i >> 8}.${i & 255}`);
  const policy = { namespace: 'shop', name: 'many' };
  const reached = (revision: number, port: number, list: readonly string[]): Table => {
    const group = groupOf(Object.fromEntries(list.map((address) => [address, 'tag'])));
    const ingress = [
      {
        policy,
        index: 0,
        ports: [{ protocol: 'TCP' as const, from: port, to: port }],
        peers: [{ kind: 'group' as const, group: 'g' }],
      },
    ];
    return withPolicies({ ...table({ revision }), groups: new Map([['g', group]]) }, { policy, ingress });
  };
  const fewer = addresses.slice(1);
  const outcome = await followed(
    [
      reached(1, 80, []),
      reached(2, 80, addresses),
      reached(3, 80, fewer),
      reached(4, 81, addresses),
      reached(5, 81, fewer),
    ],
    1_024,
  );
  expect(outcome).toMatchObject({ replaced: 1, wrong: [] });
  expect(outcome.inSets).toBe(2 * 1_500 + 2 * 1_499);
});

/** Whether some step of the way changes the elements of sets only: such steps go by netlink instead of nft. */
function changesElements(tables: readonly Table[]): boolean {
  const planner = new GatePlanner();
  const plans = tables.map((one) => atOnce(planner.plan(one)));
  return plans.some(
    (plan, index) =>
      index > 0 &&
      netlinkElements(atOnce(gateChanges(plans[index - 1] ?? plan, plan)))?.changes.some(isChange),
  );
}

const isChange = ({ removed, added }: ElementChange) => removed.length + added.length > 0;

test('a transaction that the kernel refuses leaves the last good rules', async () => {
  await apply(rulesOf(gatePlan(table({ revision: 1, allowed: ['10.0.0.9'] }))));
  const good = await listed();
  const next = rulesOf(gatePlan(table({ revision: 2, allowed: ['10.0.0.8'] })));
  await expect(
    apply(`${next}add element inet sluice in_pods4 { 10.0.0.7 : goto nowhere }\n`),
  ).rejects.toThrow();
  expect(await listed()).toEqual(good);
});

/** Listens, and connects from a plain socket and from one with the sidecar's mark. Prints what each got. */
const KNOCKS = `
  import { createServer, Socket } from 'node:net';
  import { openSockets } from ${JSON.stringify(new URL('../../native/sockets.ts', import.meta.url).href)};
  const [address, port, mark] = process.argv.slice(1);
  const server = createServer((socket) => socket.destroy()).listen(Number(port), address);
  await new Promise((resolve) => server.once('listening', resolve));
  const knock = (socket) => new Promise((resolve) => {
    socket.once('connect', () => resolve('connected')).once('error', ({ code }) => resolve(code));
    socket.connect(Number(port), address);
  });
  const marked = () => {
    try {
      const fd = openSockets().openMarked(address.includes(':') ? 6 : 4, Number(mark));
      return knock(new Socket({ fd, manualStart: true }));
    } catch ({ code }) {
      return code;
    }
  };
  console.log(JSON.stringify([await knock(new Socket()), await marked()]));
  process.exit();`;

/** What connects without NET_ADMIN and NET_RAW, as an app does. */
const AS_AN_APP = ['setpriv', '--bounding-set=-net_admin,-net_raw', '--inh-caps=-all', '--'];

test.each([
  ['10.8.0.1', true],
  ['fd00:8::1', true],
  ['10.8.0.1', false],
  ['fd00:8::1', false],
])(
  'of a pod only what has the mark connects to the injector at %s; the kernel matches sockets: %s',
  async (address, matchesSockets) => {
    const port = 7_000;
    await run(['ip', '-n', netns, 'link', 'set', 'lo', 'up']);
    await run(['ip', '-n', netns, 'addr', 'add', address, 'dev', 'lo']);
    const settings = { ...SETTINGS, injector: { address, port } };
    await apply(atOnce(wholeRuleset(closedPlan([], [`${address} . ${port}`]), settings, { matchesSockets })));
    const knocks = [
      process.execPath,
      '--input-type=module',
      '-e',
      KNOCKS,
      address,
      `${port}`,
      `${INJECTOR_MARK}`,
    ];
    expect(JSON.parse(await apply('', knocks))).toEqual(['ECONNREFUSED', 'connected']);
    expect(JSON.parse(await apply('', [...AS_AN_APP, ...knocks]))).toEqual([
      'ECONNREFUSED',
      'SOCKET_CAPABILITY_MISSING',
    ]);
  },
);

test('10,000 peers and 1,000 rules are one look-up each, and a new peer is one element', async () => {
  const planner = new GatePlanner();
  const large = largeTable();
  const plan = atOnce(planner.plan(large));
  await apply(rulesOf(plan));
  expect(plan.ingress.pods[4].size).toBe(10_000);
  expect(plan.ingress.accesses.size).toBeLessThanOrEqual(101);
  const next = atOnce(planner.plan(withPeer(large, '10.250.0.1', 'g0')));
  const change = atOnce(nftText(atOnce(gateChanges(plan, next))));
  expect(change).toMatch(/^add element inet sluice in_pods4 \{ 10\.250\.0\.1 : goto in_[0-9a-f]+ \}\n$/);
  await apply(change);
  const rules = (await listed()).filter(
    (object) => object.startsWith('{"rule"') && object.includes('"chain":"in_isolated"'),
  );
  expect(rules).toHaveLength(5);
});
