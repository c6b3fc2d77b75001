/**
 * Case 17. Given a corrupt, truncated, replayed, older or oversized frame, when it is received, then it is rejected whole, the
 * old policy is kept, and there is an alarm: an error in the log, and a count. Its ten million inputs are those of
 * `npm run fuzz -- frames --inputs 1e7`; CI feeds the fuzzer half a minute (fuzz_frames.test.ts).
 */
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { labPaths } from '../../lab/names/paths.ts';
import { killProcesses } from '../../lab/processes/process.ts';
import type { InjectorFrame, SidecarFrame, TableJson } from '../../policy/index.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { SILENCE, until, useLab } from '../netns/harness.ts';

const API = '10.1.1.10';

/** Longer than the longest frame that a sidecar takes. */
const OVERSIZED = 64 * 1024 * 1024 + 1;

const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12'] }),
    allowApps('shop/allow', 'api', ['front']),
  ],
});

let server: Server;
/** The connection of shop/api's sidecar, and what it said there. */
let connection: { readonly socket: Socket; readonly said: SidecarFrame[] } | undefined;
/** The table in force. Every frame under test would open the pod to everybody. */
let table: TableJson;

/** Takes the place of the lab's injector. */
beforeAll(async () => {
  table = JSON.parse((await net.admin('shop/api', '/table')).body);
  const { injectorSocket } = labPaths(net.lab.name);
  await killProcesses([net.lab.injector()]);
  rmSync(injectorSocket, { force: true });
  server = createServer((socket) => {
    const said: SidecarFrame[] = [];
    socket.on('error', () => {});
    createInterface({ input: socket }).on('line', (line) => {
      const frame = JSON.parse(line) as SidecarFrame;
      if (frame.type === 'hello' && frame.pod === 'api') connection = { socket, said };
      said.push(frame);
    });
  }).listen(injectorSocket);
  await serve();
});

afterAll(() => {
  connection?.socket.destroy();
  server.close();
});

/** Waits for the sidecar's connection and gives it its table, under the next revision. */
async function serve(): Promise<void> {
  const { socket, said } = await until('the sidecar connects', () => connection);
  table = { ...table, revision: table.revision + 1 };
  socket.write(line({ type: 'snapshot', table }));
  await until('it enforces the table', () =>
    said.some((frame) => frame.type === 'ack' && frame.revision === table.revision),
  );
}

function line(frame: InjectorFrame | object): string {
  return `${JSON.stringify(frame)}\n`;
}

/** The table with nobody kept out. */
function open(revision = table.revision + 10): TableJson {
  return { ...table, revision, policies: {} };
}

async function alarms(): Promise<number> {
  const { body } = await net.admin('shop/api', '/metrics');
  return Number(/^sluice_frames_refused_total (\d+)$/m.exec(body)?.[1]);
}

const complaints = () =>
  net
    .sidecarLog('shop/api')
    .filter(
      ({ level, msg }) =>
        level === 'error' && String(msg).startsWith('a frame from the injector was refused'),
    );

/** The table is the same in the sidecar, and to packets. */
async function expectUnchanged(): Promise<void> {
  expect(JSON.parse((await net.admin('shop/api', '/table')).body)).toEqual(table);
  expect(await net.connect('shop/front', API, 80)).toMatchObject({ allowed: true });
  expect(await net.connect('shop/batch', API, 80, SILENCE)).toMatchObject({ allowed: false });
}

/** What opens the pod. */
const opening = () => ({
  policies: Object.fromEntries(Object.keys(table.policies).map((key) => [key, null])),
});

const change = (changed: object, from = table.revision) =>
  line({ type: 'change', change: { schema: 2, from, revision: table.revision + 10, ...changed } });

test.each<[string, () => string]>([
  ['corrupt: no JSON', () => line({ type: 'snapshot', table: open() }).replace('"subject":', '"subject";')],
  ['corrupt: no table', () => line({ type: 'snapshot', table: open() }).replace('"policies"', '"policiez"')],
  ['corrupt: bytes that are no text', () => `{"type":"snapshot","table":"${'\u0000\ufffd'.repeat(9)}\n`],
  ['truncated in its line', () => `${line({ type: 'snapshot', table: open() }).slice(0, 300)}\n`],
  ['a replayed change', () => change(opening(), table.revision - 1)],
  ['an older table', () => line({ type: 'snapshot', table: open(table.revision - 1) })],
  ['a change to an older revision', () => change({ revision: table.revision - 1, ...opening() })],
  ['of a form that is not known', () => line({ type: 'snapshot', table: { ...open(), schema: 99 } })],
  ['with a field that is not known', () => change({ ...opening(), tier: 'admin' })],
  [
    "another pod's table",
    () => line({ type: 'snapshot', table: { ...open(), subject: { ...table.subject, name: 'front' } } }),
  ],
  [
    "a change with another pod's subject",
    () => change({ subject: { ...table.subject, name: 'batch', nodeIPs: ['10.1.1.12'] } }),
  ],
  [
    'a change that removes what is not there, beside what is',
    () => {
      const [group = ''] = Object.keys(table.groups);
      return change({ ...opening(), groups: { [group]: { members: { '10.1.1.12': null } } } });
    },
  ],
  ['a change of a group that is not there', () => change({ groups: { none: { members: {} } } })],
  [
    'a change that takes the group of a rule away',
    () => change({ groups: Object.fromEntries(Object.keys(table.groups).map((id) => [id, null])) }),
  ],
])('a frame that is bad is rejected whole, with an alarm: %s', async (_, bad) => {
  const before = { alarms: await alarms(), complaints: complaints().length };
  const { socket, said } = await until('the sidecar is connected', () => connection);
  const heard = said.length;
  socket.write(bad());
  const answer = await until('it is refused', () => said.slice(heard).find((frame) => frame.type === 'nack'));
  expect(answer).toMatchObject({ revision: table.revision });
  await expectUnchanged();
  expect(await alarms()).toBe(before.alarms + 1);
  expect(complaints()).toHaveLength(before.complaints + 1);
});

test('a frame that is cut off by the end of its connection is none', async () => {
  const { socket } = await until('the sidecar is connected', () => connection);
  connection = undefined;
  const text = line({ type: 'snapshot', table: open() });
  socket.end(text.slice(0, text.length - 2));
  await until('it connects again', () => connection);
  await expectUnchanged();
  await serve();
});

test('a frame that is oversized ends its connection, with an alarm', async () => {
  const before = { alarms: await alarms(), complaints: complaints().length };
  const { socket } = await until('the sidecar is connected', () => connection);
  connection = undefined;
  const start = '{"type":"snapshot","table":"';
  socket.write(start + 'x'.repeat(OVERSIZED));
  await until('it connects again', () => connection, 30_000);
  await expectUnchanged();
  expect(await alarms()).toBe(before.alarms + 1);
  expect(complaints()).toHaveLength(before.complaints + 1);
  await serve();
});
