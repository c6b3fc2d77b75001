/** Packets through the rules of a gate that 20,000 peers are loaded in: no lab, no proxy, only the kernel. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { largeTable } from '../../bench/large_table.ts';
import { APP_SERVER } from '../../lab/app/program.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import type { Table } from '../../policy/index.ts';
import { wholeRuleset } from '../../sidecar/gate/kernel/ruleset.ts';
import { atOnce } from '../../sidecar/gate/plan/steps.ts';
import { addNetns, removeNetns } from '../support/netns.ts';
import { gatePlan } from '../unit/sidecar/gate/gate_plan.ts';
import { run } from './command.ts';
import { patience } from './harness.ts';

/** Members of the groups 0 and 1, and somebody in no group. Group N may reach the ports 1000 + N, + 100 and so on. */
const PEERS = {
  first: ['10.1.0.1', 'fd00:1::1'],
  second: ['10.2.0.100', 'fd00:2::64'],
  stranger: ['10.250.0.1', 'fd00:fa::1'],
} as const;
const POD = ['10.0.0.100', 'fd00::100'] as const;

const id = randomBytes(3).toString('hex');
const names = { pod: `sluice-t-${process.pid}-${id}-p`, peers: `sluice-t-${process.pid}-${id}-c` };
const links = { pod: `sp${id}`, peers: `sc${id}` };

/** The large table, each peer with an IPv6 address too, and the same ports for UDP. */
function dualStackTable(): Table {
  const large = largeTable();
  const groups = new Map(
    [...large.groups].map(([name, group]) => {
      const both = [...group.members.keys()].map((address) => [v6(address), address] as const);
      return [name, { ...group, members: group.members.with(both) }];
    }),
  );
  const rules = large.ingress.rules.map((rule) => ({
    ...rule,
    ports: [...rule.ports, ...rule.ports.map((port) => ({ ...port, protocol: 'UDP' as const }))],
  }));
  return { ...large, groups, ingress: { ...large.ingress, rules } };
}

function v6(address: string): string {
  const [, group, , member] = address.split('.').map(Number);
  return `fd00:${group?.toString(16)}::${member?.toString(16)}`;
}

beforeAll(async () => {
  addNetns(names.pod);
  addNetns(names.peers);
  await run(
    `ip link add ${links.pod} netns ${names.pod} type veth peer name ${links.peers} netns ${names.peers}`.split(
      ' ',
    ),
  );
  const addresses = [
    [names.pod, links.pod, ...POD],
    ...Object.values(PEERS).map((own) => [names.peers, links.peers, ...own]),
  ];
  for (const [netns = '', link = '', ...own] of addresses) {
    for (const address of own) {
      const isV6 = address.includes(':');
      const more = isV6 ? [`${address}/16`, 'dev', link, 'nodad'] : [`${address}/8`, 'dev', link];
      await run(['ip', '-n', netns, 'address', 'add', ...more]);
    }
    await run(['ip', '-n', netns, 'link', 'set', link, 'up']);
  }
  const settings = { deny: 'drop', otherProtocols: 'drop', adminPort: 15_021 } as const;
  const [command = '', ...args] = inNetns(names.pod, ['nft', '-f', '-']);
  const nft = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  const plan = gatePlan(dualStackTable());
  // The first group is in the set of most pods, all others are in the map.
  const access = plan.ingress.pods[4].get(PEERS.first[0]);
  if (access === undefined) throw new Error('the first group has no access');
  nft.stdin.end(atOnce(wholeRuleset(plan, settings, {}, { ingress: access })));
  expect(await once(nft, 'close')).toEqual([0, null]);
  const ports = ['TCP/1000', 'TCP/1001', 'UDP/1000', 'UDP/1001'];
  const [server = '', ...argv] = inNetns(names.pod, [process.execPath, APP_SERVER, ...ports]);
  const app = spawn(server, argv, {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    env: { ...process.env, SLUICE_READY_FD: '3' },
  });
  stopApp = () => void app.kill();
  await once(app.stdio[3] ?? app, 'data');
});
let stopApp = () => {};
afterAll(() => {
  stopApp();
  for (const name of Object.values(names)) removeNetns(name);
});

interface Probe {
  readonly from: string;
  readonly to: string;
  readonly protocol: 'TCP' | 'UDP';
  readonly port: number;
  readonly timeoutMs: number;
}

/** Which probes are answered; all are sent at once. */
async function answered(probes: readonly Probe[]): Promise<readonly boolean[]> {
  const script = `
    import net from 'node:net';
    import dgram from 'node:dgram';
    const probe = ({ from, to, protocol, port, timeoutMs }) => new Promise((resolve) => {
      const over = setTimeout(() => resolve(false), timeoutMs);
      const yes = () => { clearTimeout(over); resolve(true); };
      if (protocol === 'TCP') {
        net.connect({ host: to, port, localAddress: from }).on('connect', yes).on('error', () => {});
        return;
      }
      const socket = dgram.createSocket(to.includes(':') ? 'udp6' : 'udp4').on('message', yes);
      socket.bind(0, from, () => socket.send('x', port, to));
    });
    console.log(JSON.stringify(await Promise.all(${JSON.stringify(probes)}.map(probe))));
    process.exit();`;
  const argv = inNetns(names.peers, [process.execPath, '--input-type=module', '-e', script]);
  return JSON.parse(await run(argv)) as boolean[];
}

test.each([
  ['TCP', 0],
  ['TCP', 1],
  ['UDP', 0],
  ['UDP', 1],
] as const)(
  'of 20,000 peers each reaches by %s what its own rules allow (address %d)',
  async (protocol, index) => {
    const cases = [
      ['first', 1000, true],
      ['first', 1001, false],
      ['second', 1000, false],
      ['second', 1001, true],
      ['stranger', 1000, false],
      ['stranger', 1001, false],
    ] as const;
    const probes = cases.map(([who, port, passes]): Probe => {
      return { from: PEERS[who][index], to: POD[index], protocol, port, ...patience(passes) };
    });
    expect(await answered(probes)).toEqual(cases.map(([, , passes]) => passes));
  },
);
