/**
 * Case 27. Given the ports for administration, metrics and an end, when the app or another pod calls them, then only
 * read-only health answers off-host, and nothing ends without a credential: there is no page that ends or changes anything.
 * Metrics are meant to be read from elsewhere: scrapers have no credential for a pod.
 */
import { expect, test } from 'vitest';
import { isAlive } from '../../lab/processes/process.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { SILENCE, useLab } from '../netns/harness.ts';

const API = '10.1.1.10';
const ADMIN = 15_021;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API, 'fd00:1::10'] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
    allowApps('shop/allow', 'api', ['front']),
  ],
});

const READ_ONLY = ['/healthz', '/readyz', '/metrics'];
const INSPECTION = ['/connections', '/table', '/flows'];

/** Where other proxies have what ends or changes them, and ways to write our own pages otherwise. */
const ELSEWHERE = [
  '/quitquitquit',
  '/shutdown',
  '/drain_listeners',
  '/logging?level=debug',
  '/debug/pprof/',
  '/config_dump',
  '/stop',
  '/table/',
  '//table',
  '/healthz/../table',
  '/%74able',
  '/TABLE',
  '/table%00',
  'http://127.0.0.1/table',
];

const METHODS = ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT'];

/** Asks with a request line of one's own, as an app does that lets others choose an address (SSRF). @returns the status */
async function status(from: string, address: string, method: string, path: string): Promise<number> {
  const send = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 127.0.0.1\r\n\r\n`;
  const { reply } = await net.connect(from, address, ADMIN, { send });
  return Number(/^HTTP\/1\.1 (\d+) /.exec(reply)?.[1] ?? 0);
}

/** The sidecar is the same process and enforces as before. */
async function expectUnharmed(sidecar: ReturnType<typeof net.lab.process>): Promise<void> {
  expect(isAlive(sidecar)).toBe(true);
  expect((await net.admin('shop/api', '/readyz')).status).toBe(200);
  expect(await net.connect('shop/front', API, 80)).toMatchObject({ allowed: true });
  expect(await net.connect('shop/batch', API, 80, SILENCE)).toMatchObject({ allowed: false });
}

/** Another pod that policy denies, the node, and the app itself at each address by which it reaches the port. */
const CALLERS = [
  ['shop/batch', API, false],
  ['shop/batch', 'fd00:1::10', false],
  ['node/node-1', API, false],
  ['shop/api', '127.0.0.1', true],
  ['shop/api', '::1', true],
  ['shop/api', API, true],
] as const;

test.each(CALLERS)(
  'from %s at %s: health and metrics, and inspection from inside only',
  async (from, at, inside) => {
    const sidecar = net.lab.process('shop/api', 'sidecar');
    for (const path of READ_ONLY) expect([path, await status(from, at, 'GET', path)]).toEqual([path, 200]);
    for (const path of INSPECTION)
      expect([path, await status(from, at, 'GET', path)]).toEqual([path, inside ? 200 : 403]);
    for (const path of ELSEWHERE) expect([path, await status(from, at, 'GET', path)]).toEqual([path, 404]);
    for (const method of METHODS)
      for (const path of inside ? [...READ_ONLY, ...INSPECTION, '/quitquitquit'] : ['/metrics'])
        expect([method, path, await status(from, at, method, path)]).toEqual([method, path, 405]);
    await expectUnharmed(sidecar);
  },
);

test('what answers off-host says nothing of pods, peers and flows', async () => {
  const ask = (path: string) => net.agent('shop/batch').ask({ do: 'http', address: API, port: ADMIN, path });
  await net.connect('shop/front', API, 80);
  await net.connect('shop/batch', API, 80, SILENCE);
  for (const path of READ_ONLY) {
    const { body } = await ask(path);
    for (const secret of ['10.1.1.11', '10.1.1.12', 'front', 'batch', 'token'])
      expect(body).not.toContain(secret);
  }
});

test("the sidecar's other ports lead nowhere, from anywhere", async () => {
  for (const port of [15_006, 15_020]) {
    expect(await net.connect('shop/front', API, port)).toMatchObject({ allowed: false });
    expect(await net.connect('shop/batch', API, port, SILENCE)).toMatchObject({ allowed: false });
    expect(await net.connect('shop/api', '127.0.0.1', port)).toMatchObject({ allowed: false });
  }
});
