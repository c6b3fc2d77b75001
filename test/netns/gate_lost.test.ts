/** The gate's rules go, or cannot be changed: what is said of it, and what is taken back. */
import { expect, test } from 'vitest';
import { SluiceError } from '../../common/errors.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod, policy } from '../builders/manifests.ts';
import { run } from './command.ts';
import { SILENCE, until, useLab } from './harness.ts';
import { breakableTool } from './tools/breakable_tool.ts';

const API = '10.1.1.10';

/** The sidecar looks every 2 s. */
const NOTICED_MS = 5_000;

/** An acknowledgement follows within milliseconds. */
const ENFORCED_MS = 300;

const nft = breakableTool('nft');

const net = useLab({
  sidecarEnv: { PATH: nft.path },
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API], ports: [80, 'UDP/53'] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12'] }),
    allowApps('shop/allow', 'api', ['front']),
  ],
});

interface Readiness {
  readonly ready: boolean;
  readonly in_force: string;
  readonly problems: readonly string[];
  readonly acknowledged: number;
  readonly gate: { readonly state: string; readonly revision?: number };
}

const readiness = async () => JSON.parse((await net.admin('shop/api', '/readyz')).body) as Readiness;
const isEnforced = () =>
  net.lab.waitEnforced(ENFORCED_MS).then(
    () => true,
    (error: unknown) => {
      if (error instanceof SluiceError && error.code === 'LAB_NOT_ENFORCED') return false;
      throw error;
    },
  );
const udpFromBatch = async () => (await net.datagram('shop/batch', API, 53, SILENCE)).allowed;

test('the rules are deleted while nft fails: nothing counts as enforced until they are back', async () => {
  expect(await isEnforced()).toBe(true);
  expect(await udpFromBatch()).toBe(false);
  nft.break();
  await run(inNetns(net.lab.netns('shop/api'), ['nft', 'delete', 'table', 'inet', 'sluice']));
  await until('the word is taken back', async () => !(await isEnforced()), NOTICED_MS);
  // So it had to be: this is what the kernel now lets by.
  expect(await udpFromBatch()).toBe(true);
  // Of TCP the sidecar hears, and ends what is denied.
  const tcp = { group: 'without a gate', count: 3, address: API, port: 80, work: { kind: 'hold' } } as const;
  await net.open('shop/batch', tcp);
  for (const { error } of await net.allOver('shop/batch', tcp.group)) expect(error).toBe('ECONNRESET');
  expect(await readiness()).toMatchObject({
    ready: false,
    in_force: 'less',
    acknowledged: 0,
    gate: { state: 'gone' },
    problems: [expect.stringMatching(/^gate: no rules in the kernel/)],
  });
  const metrics = (await net.admin('shop/api', '/metrics')).body;
  expect(metrics).toContain('sluice_gate_in_force 0');
  expect(metrics).toContain('sluice_in_force{state="less"} 1');

  nft.mend();
  await until('all is enforced again', isEnforced, 15_000); // a try every 10 s at last
  expect(await udpFromBatch()).toBe(false);
  expect(await readiness()).toMatchObject({ ready: true, in_force: 'all', gate: { state: 'in-force' } });
});

test('a table that nft refuses leaves the rules of the one before: that is another state', async () => {
  const before = await readiness();
  nft.break();
  net.lab.writeObjects(
    policy('shop/more', {
      podSelector: { matchLabels: { app: 'api' } },
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: 'batch' } } }],
          ports: [{ protocol: 'UDP', port: 53 }], // ports that no chain has yet: elements alone, without nft, will not do
        },
      ],
    }),
  );
  await until('the pod says so', async () => (await readiness()).gate.state === 'old-rules');
  expect(await readiness()).toMatchObject({
    ready: false,
    in_force: 'proxy-only',
    gate: { state: 'old-rules', revision: before.gate.revision },
    problems: [expect.stringMatching(/^gate: the rules of an older table stay/)],
  });
  expect(await isEnforced()).toBe(false);
  expect(await udpFromBatch()).toBe(false);
  nft.mend();
  await until('the table is enforced', isEnforced, 15_000);
  expect(await udpFromBatch()).toBe(true);
});
