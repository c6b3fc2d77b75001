/**
 * What it costs to destroy sockets: one call with a list of them, one call for each, and one call that finds them by their ends first, as a
 * cut of direct connections does. Both ends of the connections are in another process, in a network namespace of this run. Needs root.
 * Prints one JSON document: medians with the least and the most of all rounds, in milliseconds, of time and of this process's own
 * processor time.
 */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { destroySockets, destroySocketsAt, type TcpSocket, tcpSockets } from '../sidecar/kernel/index.ts';
import { summarize } from './statistics.ts';

const PORT = 8080;
const ADDRESS = '127.0.0.1';
const US_PER_MS = 1000;

/** Set in the process that runs in the network namespace, and in the one that has the connections. */
const INSIDE = 'SLUICE_BENCH_INSIDE';
const HOLDER = 'holder';

const { values } = parseArgs({
  options: {
    sockets: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '15' },
  },
});
const SOCKETS = Number(values.sockets);
const ROUNDS = Number(values.rounds);

/** Each destroys all of them. @returns a result for each: 0, or a negative error number */
const WAYS: Readonly<Record<string, (sockets: readonly TcpSocket[]) => Promise<readonly number[]>>> = {
  list: destroySockets,
  each: async (sockets) => {
    const results: number[] = [];
    for (const one of sockets) results.push(...(await destroySockets([one])));
    return results;
  },
  by_ends: async (sockets) => {
    const destroyed = await destroySocketsAt(sockets.map(({ local, remote }) => ({ local, remote })));
    return destroyed.map((one) => one?.result ?? Number.NaN);
  },
};

function ip(...args: readonly string[]): void {
  const { status } = spawnSync('ip', args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`\`ip ${args.join(' ')}\` failed`);
}

/** Makes a namespace and runs this file again in it. */
function runInside(): void {
  const netns = `sluice-bench-${process.pid}`;
  ip('netns', 'add', netns);
  try {
    ip('-n', netns, 'link', 'set', 'lo', 'up');
    process.env[INSIDE] = '1';
    ip('netns', 'exec', netns, process.execPath, import.meta.filename, ...process.argv.slice(2));
  } finally {
    ip('netns', 'del', netns);
  }
}

/** Has both ends of connections, as many as it is told to open. */
function hold(): void {
  const keep = (socket: Socket) => socket.on('error', () => {}).resume();
  const server = createServer(keep).listen(PORT, ADDRESS, SOCKETS, () => process.send?.('listening'));
  process.on('disconnect', () => process.exit());
  process.on('message', async () => {
    const accepted = new Promise<void>((resolve) => {
      let count = 0;
      server.on('connection', () => {
        count += 1;
        if (count === SOCKETS) resolve();
      });
    });
    for (let i = 0; i < SOCKETS; i += 1) await once(keep(connect(PORT, ADDRESS)), 'connect');
    await accepted;
    server.removeAllListeners('connection').on('connection', keep);
    process.send?.('open');
  });
}

/** The ends of the app that is connected to. */
async function appSockets(): Promise<readonly TcpSocket[]> {
  const found: TcpSocket[] = [];
  for await (const some of tcpSockets(({ port }) => port === PORT)) found.push(...some);
  return found;
}

async function measure(holder: ChildProcess): Promise<void> {
  const figures = new Map<string, number[]>();
  const note = (figure: string, ms: number) => figures.set(figure, [...(figures.get(figure) ?? []), ms]);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, destroy] of Object.entries(WAYS)) {
      holder.send('open');
      await once(holder, 'message');
      const sockets = await appSockets();
      if (sockets.length !== SOCKETS) throw new Error(`${sockets.length} of ${SOCKETS} sockets are there`);
      const usedBefore = process.cpuUsage();
      const startedAt = performance.now();
      const results = await destroy(sockets);
      note(`${name}_ms`, performance.now() - startedAt);
      const { user, system } = process.cpuUsage(usedBefore);
      note(`${name}_cpu_ms`, (user + system) / US_PER_MS);
      const left = (await appSockets()).length;
      if (left > 0 || results.some((result) => result !== 0)) throw new Error(`${left} sockets are left`);
    }
  }
  const rounded = [...figures].map(([name, list]) => {
    const { median, least, most } = summarize(list);
    return [name, { median: round(median), least: round(least), most: round(most) }];
  });
  const head = { sockets: SOCKETS, rounds: ROUNDS, load_average: loadavg()[0] };
  process.stdout.write(`${JSON.stringify({ ...head, ...Object.fromEntries(rounded) }, null, 2)}\n`);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

async function measureBeside(): Promise<void> {
  const holder = fork(import.meta.filename, process.argv.slice(2), {
    env: { ...process.env, [INSIDE]: HOLDER },
  });
  try {
    await once(holder, 'message');
    await measure(holder);
  } finally {
    holder.kill();
  }
}

if (process.env[INSIDE] === undefined) runInside();
else if (process.env[INSIDE] === HOLDER) hold();
else await measureBeside();
