/** What still holds when a part is gone: closed on the data path, static on the control path. */
import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { applyRedirect } from '../../cli/lab/pod_processes.ts';
import { inNetns, isAlive, signalProcess, waitGone } from '../../cli/lab/processes.ts';
import { labPaths, readState, sidecarStateFolder } from '../../cli/lab/state.ts';
import { SluiceError } from '../../policy/errors.ts';
import { run } from './command.ts';
import { type Patience, SILENCE, until, useLab } from './harness.ts';
import { allowApps, namespace, node, pod } from './objects.ts';

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

async function stopInjector(): Promise<void> {
  const injector = net.lab.injector();
  signalProcess(injector, 'SIGKILL');
  await waitGone([injector]);
}

test('the sidecar is killed under load: nothing new reaches the app until it is back with the last table', async () => {
  const work = { kind: 'echo', chunkBytes: 2048, intervalMs: 20 } as const;
  await net.open('shop/front', { group: 'load', count: 100, address: API, port: 80, work });
  await stopInjector(); // the table can only come from disk
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
  const accepted = net.accepted('shop/api').length;
  const attempts = await Promise.all([fromFront(SILENCE), fromBatch(), fromFront(SILENCE), fromBatch()]);
  for (const attempt of attempts) expect(attempt).toMatchObject({ connected: false, allowed: false });
  expect(net.accepted('shop/api').length).toBe(accepted);
  const cut = await net.finish('shop/front', 'load', 5_000);
  expect(cut.every((flow) => flow.state !== 'open')).toBe(true);

  await net.lab.startSidecar('shop/api', { redirect: false });
  await ready();
  expect(await fromFront()).toMatchObject({ allowed: true });
  expect(await fromBatch()).toMatchObject({ allowed: false, connected: false });
  expect(net.sidecarLog('shop/api').some((line) => line.msg === 'the last table is in force again')).toBe(
    true,
  );
});

test('the injector is away: the last table stays in force, for flows under way too', async () => {
  // The injector is still dead from the test before.
  const work = { kind: 'echo', chunkBytes: 100, intervalMs: 50 } as const;
  await net.open('shop/front', { group: 'static', count: 5, address: API, port: 80, work });
  expect(await fromBatch()).toMatchObject({ allowed: false, connected: false });
  // Nobody can be asked who that was.
  const denial = await until('the denial is recorded', async () =>
    net.sidecarLog('shop/api').findLast((line) => line.msg === 'flow denied'),
  );
  expect(denial.src).not.toHaveProperty('pod');
  expect(denial.explanation).toContain('labels that are not known here');
  expect((await readiness()).status).toBe(200);
  const age = /^sluice_table_age_seconds (\S+)$/m.exec((await net.admin('shop/api', '/metrics')).body)?.[1];
  expect(Number(age)).toBeGreaterThan(0);
  const flows = await net.finish('shop/front', 'static');
  expect(flows.every((flow) => flow.receivedSha256 === flow.sentSha256 && flow.state === 'ended')).toBe(true);
});

test('without any table everything but the own node is denied, and the pod is not ready', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGTERM');
  rmSync(sidecarStateFolder(labPaths(net.lab.name), 'shop/api'), { recursive: true });
  await net.lab.startSidecar('shop/api', { redirect: false });
  await until(
    'the sidecar answers',
    async () => (await net.admin('shop/api', '/healthz').catch(() => undefined))?.status === 200,
  );
  expect(await fromFront(SILENCE)).toMatchObject({ allowed: false });
  expect(await net.connect('node/node-1', API, 80)).toMatchObject({ allowed: true });
  const { status, problems } = await readiness();
  expect(status).toBe(503);
  expect(problems.join()).toContain('no table yet');
  await until('the denial is logged', () =>
    net.sidecarLog('shop/api').some(({ msg, reason }) => msg === 'flow denied' && reason === 'no-table'),
  );
});

test('when the injector comes back, so does the table', async () => {
  await net.lab.apply([]);
  await ready();
  await net.lab.waitEnforced();
  expect(await fromFront()).toMatchObject({ allowed: true });
});

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

test('SIGTERM drains: a flow under way may finish, new ones are not accepted, and the exit is clean', async () => {
  const bytes = 2_000_000;
  const slow = { kind: 'receive', bytes, bytesPerSecond: 2_000_000 } as const;
  await net.open('shop/front', { group: 'draining', count: 1, address: API, port: 80, work: slow });
  const stopped = net.lab.stopProcess('shop/api', 'sidecar', 'SIGTERM');
  const [flow] = await net.finish('shop/front', 'draining');
  expect(flow).toMatchObject({ state: 'ended', receivedBytes: bytes });
  await stopped;
  expect(await fromFront(SILENCE)).toMatchObject({ connected: false });
  expect(net.sidecarLog('shop/api').at(-1)).toMatchObject({ msg: 'stopped' });
});

test('SIGTERM right after a connection from an admitted peer: it may finish too, and has its record', async () => {
  await net.lab.startSidecar('shop/api', { redirect: false });
  await ready();
  const records = () => net.sidecarLog('shop/api').filter(({ msg }) => msg === 'flow ended');
  const before = records().length;
  await fromFront(); // from now on admitted from memory
  await until('its record is there', () => records().length > before);
  const sidecar = net.lab.process('shop/api', 'sidecar');
  const client = `
    const socket = require('node:net').connect(80, '${API}', () => {
      process.kill(${sidecar.pid}, 'SIGTERM');
      socket.end('hello\\n');
    });
    socket.pipe(process.stdout);`;
  const answer = await run(inNetns(net.lab.netns('shop/front'), [process.execPath, '--eval', client]));
  await waitGone([sidecar]);
  expect(answer.trim()).toBe('10.1.1.11');
  expect(records()).toHaveLength(before + 2);
  expect(records().at(-1)).toMatchObject({ verdict: 'allow', end: 'closed', bytes_recv: 6 });
});
