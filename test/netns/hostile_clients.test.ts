/** Clients that are rude, odd or many. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { isAlive } from '../../lab/processes/process.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { IS_DIRECT, until, useLab } from './harness.ts';

const API = '10.1.1.10';
const OPEN = '10.1.1.13';

/** Ports of the app leg, from which each client's flows to one destination port are dialled. */
const APP_LEG_PORTS = 22_768;

/** A flow that sends all the while and gets nothing back for this long, ms, stands still. */
const STALL_MS = 1_000;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API] }),
    pod('shop/open', { labels: { app: 'open' }, ips: [OPEN, 'fd00:1::13'] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12'] }),
    allowApps('shop/allow', 'api', ['front']),
  ],
});

const script = (from: string, text: string) =>
  run(inNetns(net.lab.netns(from), [process.execPath, '--input-type=module', '-e', text]));

test('a neighbour that comes from its link-local address is refused, and harms nobody', async () => {
  const address = 'fe80::d';
  for (const [pod, own] of [
    ['shop/open', address],
    ['shop/front', 'fe80::b'],
  ] as const) {
    await run(inNetns(net.lab.netns(pod), ['ip', 'addr', 'add', `${own}/64`, 'dev', 'eth0', 'nodad']));
  }
  const connect = (port: number) =>
    script(
      'shop/front',
      `import { connect } from 'node:net';
       const socket = connect({ host: '${address}%eth0', port: ${port} }, () => socket.write('GET /flows HTTP/1.0\\r\\n\\r\\n'));
       socket.on('data', (chunk) => console.log(chunk.toString().split('\\n')[0]));
       socket.on('error', (error) => console.log(error.code));
       socket.setTimeout(2000, () => process.exit());`,
    );
  // The guard of the client's pod learns of the new address within seconds.
  if (IS_DIRECT) await until('the app answers', async () => (await connect(80)).includes('fe80::b'));
  else await until('it is refused', async () => (await connect(80)).includes('ECONNRESET'));
  expect(await connect(15_021)).toContain('403');
  const refused = { verdict: 'deny', reason: 'link-local', end: 'refused' };
  const judged = { verdict: 'allow', reason: 'not-isolated', path: 'direct' };
  const record = JSON.parse((await net.admin('shop/open', '/flows')).body).at(-1);
  expect(record).toMatchObject(IS_DIRECT ? judged : refused);
  expect(isAlive(net.lab.process('shop/open', 'sidecar'))).toBe(true);
  expect(await net.connect('shop/front', OPEN, 80)).toMatchObject({ allowed: true });
});

test('a denied peer with half requests does not keep the node from its probes', async () => {
  await net.agent('shop/batch').ask({
    do: 'open',
    group: 'half',
    count: 64,
    address: API,
    port: 15_021,
    work: { kind: 'hold' },
  });
  for (let probe = 0; probe < 5; probe += 1) {
    const answer = await net
      .agent('node/node-1')
      .ask({ do: 'http', address: API, port: 15_021, path: '/healthz' });
    expect(answer.status).toBe(200);
  }
  expect((await net.admin('shop/api', '/readyz')).status).toBe(200);
});

test('a denied peer that floods the admin port and reads nothing neither stalls flows nor fills memory', async () => {
  const echo = { kind: 'echo', chunkBytes: 100, intervalMs: 20 } as const;
  await net.open('shop/front', { group: 'bystander', count: 1, address: API, port: 80, work: echo });
  const { pid } = net.lab.process('shop/api', 'sidecar');
  const before = residentBytes(pid);
  const flood = script(
    'shop/batch',
    `import { connect } from 'node:net';
     const requests = 'GET /metrics HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n'.repeat(500);
     const open = () => {
       const socket = connect({ host: '${API}', port: 15021 });
       const more = () => { while (socket.writable && socket.write(requests)); };
       socket.pause();
       socket.on('connect', more).on('drain', more).on('error', () => {}).on('close', () => setTimeout(open, 1));
     };
     for (let i = 0; i < 30; i += 1) open();
     setTimeout(() => process.exit(), 4000);`,
  );
  let flooding = true;
  const over = flood.finally(() => {
    flooding = false;
  });
  const answered = async (): Promise<void> => {
    for (let received = 0; flooding; ) {
      received = await until(
        'the flow goes on',
        async () => {
          const [flow] = await net.report('shop/front', 'bystander');
          return flow !== undefined && flow.receivedBytes > received && flow.receivedBytes;
        },
        STALL_MS,
      );
    }
  };
  await Promise.all([over, answered()]);
  expect(residentBytes(pid) - before).toBeLessThan(150 * 1024 ** 2);
  expect(await net.finish('shop/front', 'bystander')).toMatchObject([{ state: 'ended' }]);
});

test("when the app leg's ports wrap, flows that hold some of them are in nobody's way", async () => {
  await net.open('shop/front', { group: 'held', count: 400, address: API, port: 80, work: { kind: 'hold' } });
  const dials = APP_LEG_PORTS - 350;
  const said = await script(
    'shop/front',
    `import { connect } from 'node:net';
     let left = ${dials + 800}, failed = 0, running = 0;
     const next = () => {
       if (left-- <= 0) { if (--running === 0) console.log('failed', failed); return; }
       const socket = connect({ host: '${API}', port: 80 }, () => socket.write('x\\n'));
       socket.on('data', () => socket.resetAndDestroy());
       socket.on('error', () => { failed += 1; });
       socket.on('close', next);
     };
     for (let i = 0; i < 64; i += 1) { running += 1; next(); }`,
  );
  expect(said).toContain('failed 0');
  await net.agent('shop/front').ask({ do: 'close', group: 'held' });
}, 120_000);

test('many clients that connect and say nothing are held, and let go, without leaving anything', async () => {
  const { pid } = net.lab.process('shop/open', 'sidecar');
  const sockets = async () => Number(await run(['sh', '-c', `ls -l /proc/${pid}/fd | grep -c socket:`]));
  const before = await sockets();
  const flows = await net.open('shop/front', {
    group: 'silent',
    count: 500,
    address: OPEN,
    port: 80,
    work: { kind: 'hold' },
  });
  expect(flows.filter((flow) => flow.state === 'open')).toHaveLength(500);
  await net.agent('shop/front').ask({ do: 'reset', group: 'silent' });
  await until(
    'no flow is left',
    async () => JSON.parse((await net.admin('shop/open', '/connections')).body).length === 0,
  );
  await until('no socket is left', async () => (await sockets()) <= before);
});

test('the end of a sidecar raises no alarm about its redirect', async () => {
  await net.lab.stopProcess('shop/open', 'sidecar', 'SIGTERM');
  expect(net.sidecarLog('shop/open').filter((line) => line.level === 'error')).toEqual([]);
  expect(net.sidecarLog('shop/open').at(-1)).toMatchObject({ msg: 'stopped' });
});

/** Resident memory, proc(5). */
function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
