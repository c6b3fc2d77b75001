/**
 * What the scripts of rows have in common: each measures one row of `npm run bench -- scale` once, in a process of its own, and
 * prints `{ "row", "scale", "values" }` as JSON.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { stackOf } from '../../../common/errno.ts';
import { quantile } from '../../statistics.ts';
import { Crowd } from '../crowd/crowd.ts';
import { type Speech, speechOf } from '../crowd/speech.ts';
import { InjectorHandle } from '../scale/injector_handle.ts';
import type { Shape } from '../scale/shapes.ts';
import { HOST, type SidecarPod, tlsWay, type Way } from '../way.ts';

const FOLDER_PREFIX = 'sluice-scale-';

/** Below what the kernel gives out by itself, and clear of the ports of the other benchmarks. */
const FIRST_PORT = 16_000;
const PORTS = 4_000;

/** What takes longer than this has failed, ms: the whole run may take three minutes. */
export const PATIENCE_MS = 120_000;

/** Until memory and sockets are quiet, ms. */
const SETTLE_MS = { full: 5_000, quick: 300 } as const;

const LATE_RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;
const EXIT_INTERRUPTED = 130;

/** Bytes of a mebibyte, as memory is given in. */
export const MIB = 1024 ** 2;

/** Values of one run, by metric. */
export type Values = Readonly<Record<string, number>>;

/** What a row measures with. All that it starts is ended after it. */
export interface RowRun {
  /** Small sizes, so that the run takes a second or two. */
  readonly isQuick: boolean;
  readonly speech: Speech;
  /** A folder of its own. */
  readonly folder: string;
  progress(line: string): void;
  settle(): Promise<void>;
  unixWay(): Way;
  tlsWay(): Promise<Way>;
  startInjector(way: Way, shape: Shape): Promise<InjectorHandle>;
  /** Begins the connections of sidecars. */
  startCrowd(way: Way, pods: readonly SidecarPod[]): Promise<Crowd>;
  /** Has something ended after the run, also when that is interrupted. */
  after(end: () => void): void;
}

/** Runs a row's script; never throws. */
export async function runRow(row: string, measure: (run: RowRun) => Promise<Values>): Promise<void> {
  const { values } = parseArgs({ options: { quick: { type: 'boolean' }, schema: { type: 'string' } } });
  const isQuick = values.quick === true;
  const ends: (() => void)[] = [];
  const death = Promise.withResolvers<never>();
  const end = (): void => {
    for (const one of ends.splice(0).reverse()) one();
  };
  sweep();
  const folder = mkdtempSync(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      end();
      process.exit(EXIT_INTERRUPTED);
    });
  const run: RowRun = {
    isQuick,
    speech: speechOf(values.schema === undefined ? undefined : Number(values.schema)),
    folder,
    progress: (line) => process.stderr.write(`${row}: ${line}\n`),
    settle: () => sleep(isQuick ? SETTLE_MS.quick : SETTLE_MS.full),
    unixWay: () => ({ kind: 'unix', path: join(folder, 'injector.sock') }),
    tlsWay: async () => await tlsWay(await freePort()),
    startInjector: async (way, shape) => {
      const injector = await InjectorHandle.start(way, shape, death.reject);
      ends.push(() => void injector.kill());
      return injector;
    },
    startCrowd: async (way, pods) => {
      const crowd = new Crowd(way, run.speech, pods);
      ends.push(() => crowd.close());
      await crowd.connect();
      return crowd;
    },
    after: (one) => ends.push(one),
  };
  try {
    const measured = await Promise.race([measure(run), death.promise]);
    process.stdout.write(`${JSON.stringify({ row, scale: isQuick ? 'quick' : 'full', values: measured })}\n`);
  } catch (error) {
    process.stderr.write(`${row}: error: ${stackOf(error)}\n`);
    process.exitCode = 1;
  }
  end();
  process.exit();
}

/** The p99 and the most of times, ms; NaN where there are none. */
export function p99(ascending: readonly number[]): number {
  return ascending.length === 0 ? Number.NaN : quantile(ascending, 0.99);
}

/** How late this process itself was, 99 of 100 times at most, ms: what it read late counts as the injector's. */
export function watchLateness(): () => number {
  const late = monitorEventLoopDelay({ resolution: LATE_RESOLUTION_MS });
  late.enable();
  return () => {
    late.disable();
    return Math.max(0, late.percentile(99) / NS_PER_MS - LATE_RESOLUTION_MS);
  };
}

/** Removes folders of runs that were killed. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = new RegExp(`^${FOLDER_PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid)))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** A port on loopback that nobody has, and that the kernel gives to nobody: injectors one after the other have it. */
async function freePort(): Promise<number> {
  for (let tries = 0; ; tries += 1) {
    const port = FIRST_PORT + ((process.pid * 7 + tries) % PORTS);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, HOST, () => resolve(true));
    });
    await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
    if (tries === PORTS) throw new Error(`no port of ${HOST} is free`);
  }
}
