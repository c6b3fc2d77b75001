/** What policy never cuts: a pod's way to the injector, from the first closed gate on. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { addNetns, removeNetns } from '../support/netns.ts';
import { run } from './command.ts';

const MAIN = join(import.meta.dirname, '../../sidecar/main.ts');
const unique = `${process.pid}-${randomBytes(3).toString('hex')}`;
const pod = `sluice-t-${unique}-p`;
const node = `sluice-t-${unique}-n`;

/** The pod and its surroundings, with both families; the injector's Service is an address of the node's here. */
beforeAll(async () => {
  const ip = (netns: string, ...args: string[]) => run(['ip', '-n', netns, ...args]);
  for (const netns of [pod, node]) {
    addNetns(netns);
    await ip(netns, 'link', 'set', 'lo', 'up');
  }
  await ip(pod, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', node);
  for (const [netns, last] of [
    [pod, '2'],
    [node, '1'],
  ] as const) {
    await ip(netns, 'address', 'add', `10.7.7.${last}/24`, 'dev', 'eth0');
    await ip(netns, 'address', 'add', `fd07::${last}/64`, 'dev', 'eth0', 'nodad');
    await ip(netns, 'link', 'set', 'eth0', 'up');
  }
});
afterAll(() => {
  for (const netns of [pod, node]) removeNetns(netns);
});

/** What a SYN from the pod comes to: `refused` by the other end, which has no listener, or `silence`. */
async function knock(host: string, port: number): Promise<string> {
  const program = `
    const socket = require('node:net').connect(${port}, '${host}');
    setTimeout(() => { console.log('silence'); process.exit(); }, 500);
    socket.on('error', (error) => { console.log(error.code === 'ECONNREFUSED' ? 'refused' : error.code); process.exit(); });`;
  return (await run(inNetns(pod, [process.execPath, '-e', program]))).trim();
}

test.each([
  ['10.7.7.1', '10.7.7.1:15010'],
  ['fd07::1', '[fd07::1]:15010'],
])('the closed gate lets a pod reach the injector at %s, and nothing else', async (host, address) => {
  const redirect = (command: string) =>
    run(inNetns(pod, [process.execPath, MAIN, 'redirect', command, '--injector-address', address]));
  await redirect('apply');

  expect(await knock(host, 15_010)).toBe('refused');
  expect(await knock(host, 15_011)).toBe('silence');
  await redirect('remove');
  expect(await knock(host, 15_011)).toBe('refused');
});
