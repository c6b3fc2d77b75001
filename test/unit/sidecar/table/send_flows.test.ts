import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FlowCount, type FlowWindow, flowWindow } from '../../../../flows/index.ts';
import { InjectorLink } from '../../../../sidecar/table/injector_link.ts';
import { waitFor } from '../../injector/wait_for.ts';

let server: Server;
let socket: Socket;
let peer: Socket;
let link: InjectorLink;
let received: string;

beforeEach(async () => {
  received = '';
  server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => {});
  peer = await accepted;
  peer.on('error', () => {});
  peer.on('data', (chunk: Buffer) => {
    received += chunk;
  });
  link = new InjectorLink();
});

afterEach(() => {
  socket.destroy();
  peer.destroy();
  server.close();
});

function count(flows: number, peerAddress = '10.0.0.2'): FlowCount {
  return {
    direction: 'egress',
    outcome: 'allow',
    protocol: 'TCP',
    peer: peerAddress,
    port: 443,
    reason: 'rule',
    flows,
    packets: 0,
    sent: 1,
    received: 2,
    millis: 3,
  };
}

function windowOf(counts: readonly FlowCount[], rest: Partial<FlowWindow> = {}): FlowWindow {
  return { from: 1_000, to: 11_000, lost: 0, counts, events: [], eventsLost: 0, ...rest };
}

const many = windowOf(
  Array.from({ length: 512 }, (_, i) => count(1, `10.0.${i >> 8}.${i & 255}`)),
  { lost: 5, events: ['"one"', 'two\n'], eventsLost: 4 },
);

const lines = () =>
  received
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
const windows = () =>
  lines()
    .filter(({ type }) => type === 'flows')
    .map((line): { sum: number; window: FlowWindow } => ({
      sum: line.sum,
      window: flowWindow.read(line.window, 'window', Error),
    }));

test('nothing is taken without a connection, nor for an injector that does not know of flows', () => {
  expect(link.sendFlows(many)).toBe(false);
  link.open(socket, true, 2);
  expect(link.sendFlows(many)).toBe(false);
  link.open(socket, true, 3);
  expect(link.sendFlows(many)).toBe(true);
  link.close();
  expect(link.sendFlows(many)).toBe(false);
});

test('a window arrives whole, in short lines, and each says how many flows it tells of', async () => {
  link.open(socket, true, 3);
  peer.resume();
  expect(link.sendFlows(many)).toBe(true);
  await waitFor(
    () =>
      windows().reduce((sum, { window }) => sum + window.counts.length, 0) === 512 &&
      windows().at(-1)?.window.events.length,
  );
  for (const line of received.split('\n')) expect(line.length).toBeLessThan(20_000);
  expect(windows().length).toBeGreaterThan(2);
  const parts = windows();
  expect(parts.flatMap(({ window }) => window.counts)).toEqual(many.counts);
  expect(parts.flatMap(({ window }) => window.events)).toEqual(many.events);
  expect(parts.map(({ window }) => window.lost)).toEqual([5, ...parts.slice(1).map(() => 0)]);
  expect(parts.map(({ window }) => window.eventsLost)).toEqual([4, ...parts.slice(1).map(() => 0)]);
  expect(parts.reduce((sum, part) => sum + part.sum, 0)).toBe(512 + 5);
  expect(parts.every(({ window }) => window.from === 1_000 && window.to === 11_000)).toBe(true);
});

test('an acknowledgement passes what of a window has not left, and a second window is not taken meanwhile', async () => {
  link.open(socket, true, 3);
  // The peer reads nothing, and the kernel takes nothing more: what is sent from here on waits.
  const filling = `${JSON.stringify({ type: 'filling', text: 'x'.repeat(16_000) })}\n`;
  while (socket.writableLength === 0) {
    socket.write(filling);
    await new Promise(setImmediate);
  }
  expect(link.sendFlows(many)).toBe(true);
  link.acknowledge(7);
  expect(link.sendFlows(many)).toBe(false);
  peer.resume();
  await waitFor(() => link.sendFlows(windowOf([count(1)])));
  await waitFor(() => windows().at(-1)?.window.counts.length === 1);
  const sent = lines().filter(({ type }) => type !== 'filling');
  const acked = sent.findIndex(({ type }) => type === 'ack');
  // One piece of the window was before it, most of the window behind it.
  expect(acked).toBe(1);
  const after = sent.slice(acked + 1);
  expect(after.length).toBeGreaterThan(2);
  expect(after.every(({ type }) => type === 'flows')).toBe(true);
});

test('what was taken and does not leave is counted as lost in the next window', async () => {
  link.open(socket, true, 3);
  let taken = 0;
  while (link.sendFlows(many)) {
    taken += 1;
    await new Promise(setImmediate);
  }
  link.close();
  socket.destroy();
  peer.resume();
  await new Promise((resolve) => peer.once('close', resolve));
  const arrived = windows().reduce((sum, part) => sum + part.sum, 0);

  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  peer = await accepted;
  received = '';
  peer.on('data', (chunk: Buffer) => {
    received += chunk;
  });
  peer.resume();
  link.open(socket, true, 3);
  await waitFor(() => link.sendFlows(windowOf([count(1)])));
  await waitFor(() => windows().length > 0);
  const [{ window } = { window: undefined }] = windows();
  expect(window?.lost).toBeGreaterThan(0);
  // The kernel may have had some that the peer never got: they are beyond the sidecar's knowledge.
  expect(window?.lost).toBeLessThanOrEqual(taken * (512 + 5) - arrived);
});
