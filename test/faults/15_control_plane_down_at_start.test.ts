/**
 * Given a control plane that is down when the sidecar starts: without a table on disk traffic is denied and the pod not ready;
 * with one, that table is in force, and a metric says how old it is.
 */
import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { labPaths, sidecarStateFolder } from '../../lab/names/paths.ts';
import { signalProcess, waitGone } from '../../lab/processes/process.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { ANSWER, IS_DIRECT, SILENCE, until, useLab } from '../netns/harness.ts';

const API = '10.1.1.10';

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API], ports: [80, 'UDP/53'] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12'] }),
    allowApps('shop/allow', 'api', ['front']),
  ],
});

const readiness = async () => {
  const { status, body } = await net.admin('shop/api', '/readyz');
  return { status, ...(JSON.parse(body) as { problems: string[]; in_force: string }) };
};
const answers = () =>
  until(
    'the sidecar answers',
    async () => (await net.admin('shop/api', '/healthz').catch(() => undefined))?.status === 200,
  );
/** Seconds since the injector confirmed the table; absent before it ever did. */
const age = async () => {
  const metrics = (await net.admin('shop/api', '/metrics')).body;
  const text = /^sluice_table_age_seconds (\S+)$/m.exec(metrics)?.[1];
  return text === undefined ? undefined : Number(text);
};

test('with a table on disk: it is in force, and a metric says how old it is', async () => {
  const injector = net.lab.injector();
  signalProcess(injector, 'SIGKILL');
  await waitGone([injector]);
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGTERM');
  await net.lab.startSidecar('shop/api', { redirect: false });
  await until('the sidecar is ready', async () => (await readiness().catch(() => undefined))?.status === 200);
  expect(await net.connect('shop/front', API, 80, ANSWER)).toMatchObject({ allowed: true });
  expect(await net.connect('shop/batch', API, 80, SILENCE)).toMatchObject({
    allowed: false,
    connected: false,
  });
  const first = (await age()) ?? 0;
  expect(first).toBeGreaterThan(0);
  await until('it grows', async () => ((await age()) ?? 0) > first + 1);
});

test('without one: all is denied but the own node, and the pod is not ready', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGTERM');
  rmSync(sidecarStateFolder(labPaths(net.lab.name), 'shop/api'), { recursive: true });
  await net.lab.startSidecar('shop/api', { redirect: false });
  await answers();
  expect(await net.connect('shop/batch', API, 80, SILENCE)).toMatchObject({ allowed: false });
  if (IS_DIRECT) {
    // The rules that the lost table has left in the kernel let it in, and the sidecar ends it.
    const group = 'without a table';
    await net.open('shop/front', { group, count: 1, address: API, port: 80, work: { kind: 'hold' } });
    expect(await net.allOver('shop/front', group)).toMatchObject([{ error: 'ECONNRESET' }]);
  } else expect(await net.connect('shop/front', API, 80, SILENCE)).toMatchObject({ allowed: false });
  expect(await net.datagram('shop/batch', API, 53, SILENCE)).toMatchObject({ allowed: false });
  expect(await net.connect('node/node-1', API, 80)).toMatchObject({ allowed: true });
  const { status, problems, in_force } = await readiness();
  expect(status).toBe(503);
  expect(in_force).toBe('nothing');
  expect(problems.join()).toContain('no table yet');
  expect(await age()).toBeUndefined();
  await until('the denial is logged', () =>
    net.sidecarLog('shop/api').some(({ msg, reason }) => msg === 'flow denied' && reason === 'no-table'),
  );
});

test('when the control plane comes, so does the table', async () => {
  await net.lab.apply([]);
  await net.lab.waitEnforced();
  await until('the sidecar is ready', async () => (await readiness()).status === 200);
  expect(await net.connect('shop/front', API, 80, ANSWER)).toMatchObject({ allowed: true });
  expect(await net.connect('shop/batch', API, 80, SILENCE)).toMatchObject({ allowed: false });
});
