/** `sluice describe` of a lab: real packets get what it says, and it knows what the sidecars have in force. */
import { expect, onTestFinished, test } from 'vitest';
import type { GroupData } from '../../cli/describe/description.ts';
import { readState } from '../../lab/state/state.ts';
import { namespace, node, pod, policy } from '../builders/manifests.ts';
import { admittedBy } from '../unit/cli/describe/admitted_by.ts';
import { patience, useLab } from './harness.ts';
import { sluice } from './sluice_command.ts';

const PODS = [
  { key: 'shop/api', ip: '10.1.1.1', app: 'api' },
  { key: 'shop/web', ip: '10.1.2.1', app: 'web' },
  { key: 'shop/db', ip: '10.1.1.2', app: 'db' },
  { key: 'other/client', ip: '10.1.2.2', app: 'client' },
];
const PORTS = [80, 81];

const net = useLab({
  objects: [
    node(1),
    node(2),
    namespace('shop', { team: 'books' }),
    namespace('other', { team: 'blue' }),
    ...PODS.map(({ key, ip, app }, at) =>
      pod(key, { ips: [ip], labels: { app }, ports: PORTS, node: (at % 2) + 1 }),
    ),
    policy('shop/api-in', {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [
        { from: [{ podSelector: { matchLabels: { app: 'web' } } }] },
        { from: [{ namespaceSelector: { matchLabels: { team: 'blue' } } }], ports: [{ port: 81 }] },
      ],
    }),
    policy('shop/db-out', {
      podSelector: { matchLabels: { app: 'db' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ ipBlock: { cidr: '10.1.2.0/24' } }], ports: [{ port: 80 }] }],
    }),
  ],
});

async function describe(target: string, ...flags: readonly string[]) {
  return await sluice(['describe', target, '--lab', net.lab.name, ...flags]);
}

test('connections get through exactly where the descriptions of both ends admit them', async () => {
  const groups = new Map<string, GroupData>();
  for (const { key } of PODS) {
    const { stdout } = await describe(key, '-o', 'json');
    const [group] = (JSON.parse(stdout) as { readonly groups: { readonly first: readonly GroupData[] } })
      .groups.first;
    if (group !== undefined) groups.set(key, group);
  }
  for (const from of PODS)
    for (const to of PODS.filter((one) => one !== from))
      for (const port of PORTS) {
        const said = [
          groups.get(from.key)?.egress &&
            admittedBy(groups.get(from.key)?.egress ?? NONE, side(to, from), { protocol: 'TCP', port }),
          admittedBy(groups.get(to.key)?.ingress ?? NONE, side(from, to), { protocol: 'TCP', port }),
        ].every((rule) => rule !== undefined);
        const { allowed } = await net.connect(from.key, to.ip, port, patience(said));
        expect(`${from.key} -> ${to.key}:${port} ${allowed}`).toBe(
          `${from.key} -> ${to.key}:${port} ${said}`,
        );
      }
});

const NONE = { isolated: true, by: { count: 0, first: [] }, rules: { count: 0, first: [] } };

type PodOfLab = (typeof PODS)[number];

function side({ key, ip }: PodOfLab, seenFrom: PodOfLab) {
  const [where, name] = key.split('/');
  const isNear = seenFrom.key.startsWith(`${where}/`);
  return { address: ip, workload: isNear ? `pod/${name}` : `${where}/pod/${name}` };
}

test('what the sidecars have is in force, and one that has died is named', async () => {
  const before = await describe('shop/netpol/api-in');
  expect(before.stdout).toMatch(/^in force {2}at 1 of 1 pod \(revision \d+\)$/m);
  expect(before.code).toBe(0);
  const { pid } = readState(net.lab.name).processes['shop/api']?.sidecar ?? {};
  if (pid === undefined) throw new Error('the sidecar of shop/api is not known');
  onTestFinished(async () => {
    await sluice(['lab', 'apply', '--name', net.lab.name]);
  });
  process.kill(pid, 'SIGKILL');
  const after = await describe('shop/netpol/api-in');
  expect(after.stdout).toContain('in force  at 0 of 1 pod\n  not in force at shop/api: its sidecar ');
  expect(after.code).toBe(1);
  const untouched = await describe('shop/netpol/db-out');
  expect(untouched.code).toBe(0);
});
