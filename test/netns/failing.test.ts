/** What still holds when a part is gone: closed on the data path, static on the control path. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SluiceError } from '../../common/errors.ts';
import { labPaths } from '../../lab/names/paths.ts';
import { applyRedirect } from '../../lab/pods/pod_processes.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { isAlive } from '../../lab/processes/process.ts';
import { readState } from '../../lab/state/state.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { type Patience, SILENCE, until, useLab } from './harness.ts';

const API = '10.1.1.10';

/** A redirect that vanishes is noticed within this: what the product promises. */
const UNREADY_MS = 5_000;

/** An acknowledgement follows the gate within milliseconds. */
const NOT_ENFORCED_MS = 500;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API, 'fd00:1::10'] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12'] }),
    allowApps('shop/allow', 'api', ['front']),
  ],
});

const fromFront = (options: Partial<Patience> = {}) => net.connect('shop/front', API, 80, options);
const fromBatch = () => net.connect('shop/batch', API, 80, SILENCE);
const readiness = async () => {
  const { status, body } = await net.admin('shop/api', '/readyz');
  return { status, problems: (JSON.parse(body) as { problems: string[] }).problems };
};
const gateRevision = async () => {
  const { body } = await net.admin('shop/api', '/readyz');
  return (JSON.parse(body) as { gate: { revision?: number } }).gate.revision;
};
const ready = () =>
  until('the sidecar is ready', async () => (await readiness().catch(() => undefined))?.status === 200);

test.each([
  ['the chain is flushed', ['iptables-nft', '-t', 'mangle', '-F', 'SLUICE_IN']],
  ['the jump is deleted', ['iptables-nft', '-t', 'mangle', '-D', 'PREROUTING', '-j', 'SLUICE_IN']],
  ['the IPv6 chain is flushed', ['ip6tables-nft', '-t', 'mangle', '-F', 'SLUICE_IN']],
])(
  '%s: the pod is unready within 5 s and says why, and ready again when the rules are back',
  async (_what, argv) => {
    const startedAt = performance.now();
    await run(inNetns(net.lab.netns('shop/api'), argv));
    const seen = await until('the pod is unready', async () => {
      const found = await readiness();
      return found.status === 503 ? found : undefined;
    });
    expect(performance.now() - startedAt).toBeLessThan(UNREADY_MS);
    expect(seen.problems.join()).toMatch(/redirect/);
    expect((await net.admin('shop/api', '/metrics')).body).toContain('sluice_redirect_intact 0');
    // What goes past the proxy is not ended: no table is said to be in force any more, nor a change of it.
    await until('what was acknowledged is taken back', () =>
      net.lab.waitEnforced(NOT_ENFORCED_MS).then(
        () => undefined,
        (error: unknown) => error instanceof SluiceError && error.code === 'LAB_NOT_ENFORCED',
      ),
    );
    const before = await gateRevision();
    net.lab.writeObjects(allowApps('shop/allow', 'api', ['front', randomUUID()]));
    await until('the gate has the change', async () => (await gateRevision()) !== before);
    await expect(net.lab.waitEnforced(NOT_ENFORCED_MS)).rejects.toMatchObject({ code: 'LAB_NOT_ENFORCED' });

    await applyRedirect(labPaths(net.lab.name), readState(net.lab.name), net.lab.pod('shop/api'));
    await ready();
    await net.lab.waitEnforced();
    expect(await fromBatch()).toMatchObject({ allowed: false });
  },
);

test('over the connection cap, excess is refused and counted, and never reaches the app', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGTERM');
  await net.lab.startSidecar('shop/api', { redirect: false, env: { SLUICE_MAX_CONNECTIONS: '10' } });
  await ready();
  const accepted = net.accepted('shop/api').length;
  const flows = await net.open('shop/front', {
    group: 'many',
    count: 30,
    address: API,
    port: 80,
    work: { kind: 'hold' },
  });
  expect(flows.filter((flow) => flow.state === 'open')).toHaveLength(10);
  expect(flows.filter((flow) => flow.error === 'ECONNRESET')).toHaveLength(20);
  expect(net.accepted('shop/api').length - accepted).toBe(10);
  expect((await net.admin('shop/api', '/metrics')).body).toMatch(/reason="capacity"\} 20$/m);
  await net.agent('shop/front').ask({ do: 'close', group: 'many' });
  await until('the flows are gone', async () => (await fromFront(SILENCE)).allowed);
});

test('out of file descriptors, connections are refused; afterwards all is well again', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGTERM');
  const sidecar = await net.lab.startSidecar('shop/api', { redirect: false });
  await ready();
  const accepted = net.accepted('shop/api').length;
  // The budget was taken from a larger limit: this is a process that really runs out.
  await run(['prlimit', '--pid', String(sidecar.pid), '--nofile=48:20000']);
  const flows = await net.open('shop/front', {
    group: 'flood',
    count: 200,
    address: API,
    port: 80,
    work: { kind: 'hold' },
  });
  // Readings of the gate and checks of the redirect fall into this time: they find no descriptors.
  await delay(4_500);
  expect(isAlive(sidecar)).toBe(true);
  const held = flows.filter((flow) => flow.state === 'open').length;
  expect(held).toBeGreaterThan(0);
  expect(held).toBeLessThan(30);
  expect(net.accepted('shop/api').length - accepted).toBe(held);
  await run(['prlimit', '--pid', String(sidecar.pid), '--nofile=20000:20000']);
  await net.agent('shop/front').ask({ do: 'close', group: 'flood' });
  await until('connections pass again', async () => (await fromFront(SILENCE)).allowed);
  expect(await fromBatch()).toMatchObject({ allowed: false, connected: false });
  const again = await net.open('shop/front', {
    group: 'after',
    count: 200,
    address: API,
    port: 80,
    work: { kind: 'hold' },
  });
  expect(again.every((flow) => flow.state === 'open')).toBe(true);
  await net.agent('shop/front').ask({ do: 'close', group: 'after' });
});
