/**
 * A direct connection whose client has closed its side, and which is idle: connection tracking forgets it, and takes it for the app's own
 * when the app sends something. A sidecar that starts then finds it all the same.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { until, useLab } from './harness.ts';
import { inPod } from './tools/pod_script.ts';

const API = ['10.1.1.10', 'fd00:1::10'] as const;
const ALLOW = allowApps('shop/allow', 'api', ['front']);
const ALLOW_BOTH = allowApps('shop/allow', 'api', ['front', 'batch']);

/** How long connection tracking keeps a connection that is half closed: a minute or two elsewhere, s. */
const KEPT_SECONDS = 1;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: API, ports: [80] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
    ALLOW_BOTH,
  ],
  sidecarEnv: { SLUICE_PATH: 'direct' },
});

/** What the app does when the entry is gone. */
const APPS = ['is silent', 'has sent something'] as const;

test.each(
  APPS.flatMap((kind, index) =>
    API.map((address, place) => ({ kind, address, port: 8081 + 2 * index + place })),
  ),
)('one that is denied while no sidecar runs ends when one starts: the app $kind ($address)', async (one) => {
  const { kind, address, port } = one;
  await net.apply(ALLOW_BOTH);
  for (const state of ['close_wait', 'fin_wait', 'last_ack']) {
    const setting = `net.netfilter.nf_conntrack_tcp_timeout_${state}=${KEPT_SECONDS}`;
    await run(inNetns(net.lab.netns('shop/api'), ['sysctl', '-qw', setting]));
  }
  const app = inPod(
    net,
    'shop/api',
    `import { createServer } from 'node:net';
     createServer({ allowHalfOpen: true }, (socket) => {
       socket.resume().on('end', () => console.log('half closed')).on('error', (error) => console.log(error.code));
       process.stdin.once('data', () => socket.write('late', () => console.log('sent')));
     }).listen(${port}, () => console.log('listens'));`,
  );
  expect(await app.line()).toBe('listens');
  const client = inPod(
    net,
    'shop/batch',
    `import { connect } from 'node:net';
     const socket = connect({ host: '${address}', port: ${port}, allowHalfOpen: true }, () => socket.end());
     socket.on('connect', () => console.log(socket.localPort)).on('data', (data) => console.log(String(data)));
     socket.on('end', () => console.log('end')).on('error', (error) => console.log(error.code));`,
  );
  const localPort = Number(await client.line());
  expect(await app.line()).toBe('half closed');
  await sleep((KEPT_SECONDS + 1) * 1_000);
  if (kind === 'has sent something') {
    app.goOn();
    expect(await app.line()).toBe('sent');
    expect(await client.line()).toBe('late');
  }
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
  net.lab.writeObjects(ALLOW);
  await net.lab.startSidecar('shop/api', { redirect: false });
  expect(await client.line()).toBe('ECONNRESET');
  const record = await until('it is recorded', async () => {
    const flows = await net.flows('shop/api');
    return flows.find(({ src, dst }) => src.port === localPort && dst.port === port);
  });
  expect(record).toMatchObject({ end: 'policy-changed', verdict: 'deny', path: 'direct' });
  await net.lab.waitEnforced();
});
