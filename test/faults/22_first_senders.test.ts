/**
 * Case 22. Given init, other sidecar and ephemeral containers, when they send first, then rules are already in place or the
 * pod fails to start; none runs before interception.
 *
 * What makes it so: a native sidecar is the first init container. It puts the rules and the closed gate in the kernel before all else,
 * and ends where it cannot; nothing after it starts before its startup probe has seen a table in force. An ordinary sidecar has a step
 * before it that does the same, and ends.
 * Ephemeral containers can be added to a pod that runs, and not to one that is created.
 */
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CONNECTION_PATHS } from '../../common/path.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { toolPath } from '../../lab/processes/tools.ts';
import { config, injected, pod, reasons, type TestContainer } from '../builders/admitted_pods.ts';
import { run } from '../netns/command.ts';
import { until } from '../netns/harness.ts';
import { addNetns, removeNetns } from '../support/netns.ts';

const SIDECAR = join(import.meta.dirname, '../../sidecar/main.ts');

/** A pod's network namespace and its peer's, with a cable between them. */
const ID = randomBytes(3).toString('hex');
const POD = `f22p-${ID}`;
const PEER = `f22q-${ID}`;
const POD_ADDRESS = '10.22.0.2';
const PEER_ADDRESS = '10.22.0.3';
const NODE_ADDRESS = '10.22.0.1';

const ip = (...argv: string[]) => execFileSync('ip', argv, { env: { ...process.env, PATH: toolPath() } });

const inPod = (...argv: string[]) => run(inNetns(POD, argv));

const redirect = (command: string, path: string) =>
  run(inNetns(POD, [process.execPath, SIDECAR, 'redirect', command, '--node-ips', NODE_ADDRESS]), {
    SLUICE_PATH: path,
  });

/** A server that says what reaches it. */
const LISTEN = `
  const say = (text) => console.log(text);
  require('node:dgram').createSocket('udp4').bind(8080, process.argv[1]).on('message', () => say('udp'));
  require('node:net')
    .createServer((socket) => { say('tcp'); socket.destroy(); })
    .listen(8080, process.argv[1], () => say('up'));`;

/** A client that sends by both protocols. */
const SEND = `
  const socket = require('node:net').connect(8080, process.argv[1]);
  socket.on('error', () => {});
  const udp = require('node:dgram').createSocket('udp4');
  udp.on('error', () => {});
  const send = () => udp.send('x', 8080, process.argv[1], () => {});
  send();
  setTimeout(send, 200);
  setTimeout(() => process.exit(), 400);`;

/** What has arrived in a namespace is read within this, ms, on a busy machine too. */
const READ_MS = 500;

/** What of a client's TCP and UDP in `from` reaches a server in `to`. */
async function reaches(from: string, to: string, address: string): Promise<readonly string[]> {
  const [command = '', ...argv] = inNetns(to, [process.execPath, '-e', LISTEN, address]);
  const server = spawn(command, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    let said = '';
    server.stdout.on('data', (chunk) => {
      said += chunk;
    });
    await until('the server listens', () => said.includes('up'));
    await run(inNetns(from, [process.execPath, '-e', SEND, address]));
    await delay(READ_MS); // of silence, where there is any
    return [...new Set(said.split('\n').filter((line) => line === 'tcp' || line === 'udp'))].sort();
  } finally {
    server.kill('SIGKILL');
  }
}

const names = (containers: readonly TestContainer[] = []) => containers.map(({ name }) => name);

describe('the order of containers', () => {
  const others = {
    initContainers: [
      { name: 'first', image: 'i' },
      { name: 'mesh', image: 'm', restartPolicy: 'Always' },
    ],
  };

  test('the sidecar comes before every other container, puts the redirect in force, and starts up with a table', () => {
    const { spec } = injected(pod(others));
    expect(names(spec.initContainers)).toEqual(['sluice-sidecar', 'first', 'mesh']);
    expect(spec.initContainers?.[0]).toMatchObject({
      restartPolicy: 'Always',
      env: expect.arrayContaining([{ name: 'SLUICE_REDIRECT', value: 'run' }]),
      startupProbe: { httpGet: { path: '/readyz' } },
    });
  });

  test('with an ordinary sidecar the redirect is first all the same: until the first table nothing passes', () => {
    const { spec } = injected(pod(others), { config: config({ mode: 'classic' }) });
    expect(names(spec.initContainers)).toEqual(['sluice-redirect', 'first', 'mesh']);
    // An init container without restartPolicy has to end well before the next one starts. Source: core v1 `Container`.
    expect(spec.initContainers?.[0]).not.toHaveProperty('restartPolicy');
    expect(spec.initContainers?.[0]?.args).toEqual(['redirect', 'apply']);
  });

  test('a container that is put before them is put behind them', () => {
    const once = injected(pod());
    const initContainers = [{ name: 'early', image: 'e' }, ...(once.spec.initContainers ?? [])];
    const again = injected({ ...once, spec: { ...once.spec, initContainers } });
    expect(names(again.spec.initContainers)).toEqual(['sluice-sidecar', 'early']);
  });

  test('an ephemeral container that could undo the rules is refused', () => {
    const ephemeralContainers = [
      { name: 'debug', securityContext: { capabilities: { add: ['NET_ADMIN'] } } },
    ];
    expect(reasons(pod({ ephemeralContainers }))).toEqual([expect.stringContaining('debug adds NET_ADMIN')]);
  });
});

describe('the kernel after the redirect, before any sidecar', () => {
  beforeAll(() => {
    for (const name of [POD, PEER]) addNetns(name);
    ip('link', 'add', 'eth0', 'netns', POD, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', PEER);
    for (const [name, address] of [
      [POD, POD_ADDRESS],
      [PEER, PEER_ADDRESS],
    ] as const) {
      ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
      for (const link of ['lo', 'eth0']) ip('-n', name, 'link', 'set', link, 'up');
    }
  });
  afterAll(() => {
    for (const name of [POD, PEER]) removeNetns(name);
  });

  test('without the redirect both directions are open: the cable works', async () => {
    expect(await reaches(PEER, POD, POD_ADDRESS)).toEqual(['tcp', 'udp']);
    expect(await reaches(POD, PEER, PEER_ADDRESS)).toEqual(['tcp', 'udp']);
  });

  test('a redirect that cannot put its rules in place fails, and with it the pod', async () => {
    const bare = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--'];
    const argv = [process.execPath, SIDECAR, 'redirect', 'apply', '--node-ips', NODE_ADDRESS];
    await expect(inPod(...bare, ...argv)).rejects.toThrow();
  });

  test.each(CONNECTION_PATHS)(
    'what sends first, either way, is held back from the moment the redirect ends (%s)',
    async (path) => {
      await redirect('apply', path);
      expect(await reaches(PEER, POD, POD_ADDRESS)).toEqual([]);
      expect(await reaches(POD, PEER, PEER_ADDRESS)).toEqual([]);
      await redirect('remove', path);
    },
  );
});
