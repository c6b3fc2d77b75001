/**
 * A client with many short connections beside some that it keeps, to an app that answers each line with a line.
 *
 *   node many_connections.ts ADDRESS PORT SHORT KEPT
 *
 * Prints what became of them as one line of JSON, `ManyConnections`.
 */
import { connect, type Socket } from 'node:net';

/** What became of the connections. */
export interface ManyConnections {
  /** Short connections that were answered. */
  readonly answered: number;
  /** Of those that were not: error codes, with the source port. */
  readonly failed: readonly string[];
  /** Kept connections that answer when all the others are over, each on what it has sent before and after. */
  readonly kept: number;
  /** Source ports used: the lowest and the highest, and how many of 10000-32767, where app legs begin. */
  readonly ports: { readonly lowest: number; readonly highest: number; readonly ofLegs: number };
}

/** Short connections at once. */
const AT_ONCE = 32;

/** An answer comes within milliseconds, or, when a first packet is lost, within seconds; ms. */
const PATIENCE_MS = 10_000;

const LEGS = { first: 10_000, last: 32_767 };

const [address = '', port = '', short = '', kept = ''] = process.argv.slice(2);
const ports = { lowest: 65_535, highest: 0, ofLegs: 0 };

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port: Number(port), noDelay: true });
    const fail = (code: string): void => {
      socket.destroy();
      reject(new Error(`${code} from port ${socket.localPort}`));
    };
    socket.setTimeout(PATIENCE_MS, () => fail('ETIMEDOUT'));
    socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.once('connect', () => {
      const own = socket.localPort ?? 0;
      ports.lowest = Math.min(ports.lowest, own);
      ports.highest = Math.max(ports.highest, own);
      if (own >= LEGS.first && own <= LEGS.last) ports.ofLegs += 1;
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

/** Sends a line and waits for its answer. */
function ask(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error): void => {
      socket.setTimeout(0);
      socket.removeAllListeners();
      socket.on('error', () => {});
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.setTimeout(PATIENCE_MS, () => done(new Error(`no answer at port ${socket.localPort}`)));
    socket.once('error', (error: NodeJS.ErrnoException) => done(new Error(`${error.code} later`)));
    socket.once('close', () => done(new Error('closed')));
    socket.on('data', (chunk: Buffer) => {
      if (chunk.at(-1) === 10) done();
    });
    socket.write('?\n');
  });
}

const held: Socket[] = [];
for (let made = 0; made < Number(kept); made += 1) {
  const socket = await open();
  await ask(socket);
  held.push(socket);
}
const failed: string[] = [];
let answered = 0;
let begun = 0;
async function some(): Promise<void> {
  while (begun < Number(short)) {
    begun += 1;
    try {
      const socket = await open();
      await ask(socket);
      socket.destroy();
      answered += 1;
    } catch (error) {
      failed.push((error as Error).message);
    }
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, some));
const alive = await Promise.allSettled(held.map(ask));
const result: ManyConnections = {
  answered,
  failed,
  kept: alive.filter(({ status }) => status === 'fulfilled').length,
  ports,
};
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit();
