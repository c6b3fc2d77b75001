/** Ports that nobody listens on, for processes that are given theirs. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below what kernels give out by themselves (ip(7), `ip_local_port_range`), and below what sidecars dial from and listen
 * on: until it is used, a port goes to nobody but who asks here.
 */
const FIRST = 7_000;
const END = 10_000;

/** Ports of one worker of vitest; workers run at once. */
const SLICE = 60;

const ports = ownSlice();

/** All differ, from those of earlier calls too as long as the worker's ports last. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let tries = 0; found.length < count; tries += 1) {
    const port = ports.next().value;
    if (tries > SLICE) throw new Error(`of ${SLICE} ports up to ${port} too few are free`);
    if (await isFree(port)) found.push(port);
  }
  return found;
}

/** The worker's ports in turn, from some port on: the next file and another run at the same time have another. */
function* ownSlice(): Generator<number, never> {
  const slices = (END - FIRST) / SLICE;
  const first = FIRST + (Number(process.env.VITEST_POOL_ID ?? 0) % slices) * SLICE;
  for (let turn = process.pid; ; turn += 1) yield first + (turn % SLICE);
}

/** Whether a server gets it at every address. */
async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port);
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  await once(server.close(), 'close');
  return true;
}
