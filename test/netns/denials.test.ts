/** How drops of the gate become records: read from a real kernel's sets, in a network namespace of its own. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { DENIED_TIMEOUT_SECONDS, wholeRuleset } from '../../sidecar/gate/kernel/ruleset.ts';
import { closedPlan } from '../../sidecar/gate/plan/plan.ts';
import { atOnce } from '../../sidecar/gate/plan/steps.ts';
import { addNetns, netnsName, removeNetns } from '../support/netns.ts';
import { run } from './command.ts';

const RULES = atOnce(
  wholeRuleset(closedPlan([]), { deny: 'drop', otherProtocols: 'drop', adminPort: 15_021 }),
);
const REPORT = new URL('../../sidecar/gate/kernel/denial_report.ts', import.meta.url).href;

let netns = '';

beforeEach(() => {
  netns = netnsName();
  addNetns(netns);
});
afterEach(() => {
  removeNetns(netns);
});

/** What the kernel counts: packets of a peer at a port, and totals by protocol. */
const peer = (address: string, port: number, packets: number) =>
  `add element inet sluice in_denied4 { ${address} . udp . ${port} counter packets ${packets} bytes 1 }\n`;
const total = (protocol: string, packets: number) =>
  `add element inet sluice in_dropped { ${protocol} counter packets ${packets} bytes 1 }\n`;
const gone = (address: string, port: number) =>
  `delete element inet sluice in_denied4 { ${address} . udp . ${port} }\n`;

/** What the kernel counts of one protocol changes. */
const totalNow = (protocol: string, packets: number) =>
  `delete element inet sluice in_dropped { ${protocol} }\n${total(protocol, packets)}`;

/** Nft text to apply, a call of the report and what comes during it, or time that goes by. */
type Step = { nft: string } | { call: 'collect' | 'reset' | 'close'; during?: 'reset' } | { seconds: number };

/** Runs steps in the namespace; gives all that was reported. */
async function reported(steps: readonly Step[]) {
  const script = `
    import { execFileSync } from 'node:child_process';
    import { DenialReport } from ${JSON.stringify(REPORT)};
    const said = [];
    const report = new DenialReport('ingress', {
      active: () => true,
      ask: () => undefined,
      denied: ({ address, protocol, port, packets }) => said.push(address + ' ' + protocol + '/' + port + ' ' + packets),
      more: (summary) => said.push(summary),
      dropped: (packets) => said.push('dropped ' + packets),
      unreadable: (error) => said.push('unreadable ' + error.code),
    });
    const now = performance.now.bind(performance);
    let passedMs = 0;
    performance.now = () => now() + passedMs;
    for (const step of ${JSON.stringify(steps)}) {
      if (step.seconds) passedMs += 1000 * step.seconds;
      else if (step.nft) execFileSync('nft', ['-f', '-'], { input: step.nft });
      else {
        said.push(step.call);
        const called = report[step.call]();
        if (step.during) report[step.during]();
        await called;
      }
    }
    console.log(JSON.stringify(said));`;
  return JSON.parse(
    await run(inNetns(netns, [process.execPath, '--input-type=module', '-e', script])),
  ) as unknown[];
}

test('a peer gets a record at first, then waits; the end reports what is left', async () => {
  expect(
    await reported([
      { nft: RULES + peer('10.0.0.3', 53, 5) + total('udp', 5) },
      { call: 'collect' },
      {
        nft: gone('10.0.0.3', 53) + peer('10.0.0.3', 53, 12) + totalNow('udp', 12),
      },
      { call: 'collect' },
      { call: 'collect' },
      { call: 'close' },
    ]),
  ).toEqual([
    'collect',
    'dropped 5',
    '10.0.0.3 UDP/53 5',
    'collect',
    'dropped 7',
    'collect',
    'close',
    '10.0.0.3 UDP/53 7',
  ]);
});

test('at most 50 records a reading, those with most packets; the others are one line', async () => {
  const peers = Array.from({ length: 60 }, (_, index) => peer(`10.0.1.${index}`, 53, 100 - index));
  const packets = 60 * 100 - (60 * 59) / 2;
  const said = await reported([{ nft: RULES + peers.join('') + total('udp', packets) }, { call: 'collect' }]);
  expect(said).toHaveLength(1 + 1 + 50 + 1);
  expect(said.slice(0, 3)).toEqual(['collect', `dropped ${packets}`, '10.0.1.0 UDP/53 100']);
  const left = Array.from({ length: 10 }, (_, index) => 50 - index).reduce((sum, one) => sum + one, 0);
  expect(said.at(-1)).toEqual({ peers: 10, packets: left });
});

test('a full set is read whole, whatever the family', async () => {
  const peers = Array.from(
    { length: 2_000 },
    (_, index) => `fd00::${index.toString(16)} . tcp . 8080 counter packets 3 bytes 1`,
  );
  const full = `add element inet sluice in_denied6 { ${peers.join(', ')} }\n${peer('10.0.0.3', 53, 5)}`;
  const said = await reported([{ nft: RULES + full + total('tcp', 6_005) }, { call: 'collect' }]);
  expect(said.slice(0, 3)).toEqual(['collect', 'dropped 6005', '10.0.0.3 UDP/53 5']);
  expect(said[3]).toMatch(/^fd00::[0-9a-f]+ TCP\/8080 3$/);
  expect(said.at(-1)).toEqual({ peers: 2_001 - 50, packets: 3 * (2_000 - 49) });
});

test('what no peer stands for is counted once: other protocols, peers that did not fit', async () => {
  expect(
    await reported([
      { nft: RULES + peer('10.0.0.3', 53, 5) + total('udp', 9) + total('icmp', 3) },
      { call: 'collect' },
      { call: 'collect' },
    ]),
  ).toEqual(['collect', 'dropped 12', '10.0.0.3 UDP/53 5', { peers: 0, packets: 7 }, 'collect']);
});

test('peers that are ahead of the totals are not taken for missing ones later', async () => {
  expect(
    await reported([
      { nft: RULES + peer('10.0.0.3', 53, 8) + total('udp', 5) },
      { call: 'collect' },
      { nft: totalNow('udp', 8) },
      { call: 'collect' },
    ]),
  ).toEqual(['collect', 'dropped 5', '10.0.0.3 UDP/53 8', 'collect', 'dropped 3']);
});

test('a peer that one reading misses, as others come, is not counted twice in the next', async () => {
  expect(
    await reported([
      { nft: RULES + peer('10.0.0.3', 53, 500) + total('udp', 500) },
      { call: 'collect' },
      { nft: gone('10.0.0.3', 53) + peer('10.0.0.4', 53, 1) + totalNow('udp', 501) },
      { call: 'collect' },
      { nft: peer('10.0.0.3', 53, 502) + totalNow('udp', 503) },
      { call: 'collect' },
      { call: 'close' },
    ]),
  ).toEqual([
    'collect',
    'dropped 500',
    '10.0.0.3 UDP/53 500',
    'collect',
    'dropped 1',
    '10.0.0.4 UDP/53 1',
    'collect',
    'dropped 2',
    'close',
    '10.0.0.3 UDP/53 2',
  ]);
});

test('a peer that sends a packet whenever it has been forgotten gets a record of each', async () => {
  expect(
    await reported([
      { nft: RULES + peer('10.0.0.3', 123, 1) + total('udp', 1) },
      { call: 'collect' },
      { seconds: DENIED_TIMEOUT_SECONDS + 4 },
      { nft: gone('10.0.0.3', 123) + peer('10.0.0.3', 123, 1) + totalNow('udp', 2) },
      { call: 'collect' },
    ]),
  ).toEqual(['collect', 'dropped 1', '10.0.0.3 UDP/123 1', 'collect', 'dropped 1', '10.0.0.3 UDP/123 1']);
});

test('after the rules were replaced, counting begins at zero', async () => {
  expect(
    await reported([
      { nft: RULES + peer('10.0.0.3', 53, 5) + total('udp', 5) },
      { call: 'collect' },
      { nft: RULES + peer('10.0.0.4', 53, 5) + total('udp', 5) },
      { call: 'reset' },
      { call: 'collect' },
    ]),
  ).toEqual([
    'collect',
    'dropped 5',
    '10.0.0.3 UDP/53 5',
    'reset',
    'collect',
    'dropped 5',
    '10.0.0.4 UDP/53 5',
  ]);
});

test('a reading during which the rules are replaced reports nothing twice', async () => {
  expect(
    await reported([
      { nft: RULES + peer('10.0.0.3', 53, 5) + total('udp', 5) },
      { call: 'collect' },
      { nft: totalNow('udp', 6) },
      { call: 'collect', during: 'reset' },
      { nft: RULES + peer('10.0.0.3', 53, 1) + total('udp', 1) },
      { call: 'collect' },
      { call: 'close' },
    ]),
  ).toEqual([
    'collect',
    'dropped 5',
    '10.0.0.3 UDP/53 5',
    'collect',
    'collect',
    'dropped 1',
    'close',
    '10.0.0.3 UDP/53 1',
  ]);
});

test('a gate that is not there is said to be unreadable', async () => {
  expect(await reported([{ call: 'collect' }])).toEqual(['collect', 'unreadable NETLINK_FAILED']);
});
