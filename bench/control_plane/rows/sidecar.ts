/**
 * The real sidecar with its gate, while its peers change: what it costs at its node, and how soon it acknowledges. Needs root.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkPrerequisites } from '../../../lab/index.ts';
import { makeBundle } from '../../tools.ts';
import { RealSidecar } from '../scale/real_sidecar.ts';
import { PODS_ONLY, podOf, type Shape } from '../scale/shapes.ts';
import { TappedWay } from '../scale/tapped_way.ts';
import { MIB, PATIENCE_MS, p99, type RowRun, runRow } from './run_row.ts';

/** Peers of the sidecar; `rolled` is the roll of the row `roll`. */
const SIZES = {
  full: { many: 10_000, rolled: 2_000, most: 100_000, seconds: 20 },
  quick: { many: 200, rolled: 100, most: 400, seconds: 1 },
} as const;

const CHANGES_PER_SECOND = 33;

/** Pods at the end of the namespace that are replaced. */
const REPLACED = 50;

const POLL_MS = 20;
const MB = 1e6;
const SOURCES = join(import.meta.dirname, '../../../sidecar/main.ts');

interface Running {
  readonly sidecar: RealSidecar;
  readonly tap: TappedWay;
  /** From its first table's passing until it was acknowledged. */
  readonly firstAckMs: number;
  roll(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

/** A sidecar whose peers are all pods of a namespace, with all in force. */
async function start(run: RowRun, main: string, peers: number): Promise<Running> {
  const shape: Shape = { ...PODS_ONLY, namespaces: 1, podsPerNamespace: peers, policiesPerNamespace: 1 };
  const folder = join(run.folder, String(peers));
  const target = join(run.folder, `${peers}.injector`);
  const socket = join(run.folder, `${peers}.sidecar`);
  const injector = await run.startInjector({ kind: 'unix', path: target }, shape);
  const tap = new TappedWay(socket, target, run.speech);
  run.after(() => tap.close());
  const sidecar = new RealSidecar(main, podOf(shape, 0, 0), folder, socket);
  run.after(() => sidecar.kill());
  const settled = async () => {
    const endMs = performance.now() + PATIENCE_MS;
    while (tap.acknowledged === 0 || tap.waiting > 0) {
      sidecar.check();
      if (performance.now() > endMs) throw new Error(`a table of ${peers} peers was not acknowledged`);
      await sleep(POLL_MS);
    }
  };
  await settled();
  const [firstAckMs = Number.NaN] = tap.takeWaits();
  run.progress(`${peers} peers are in force after ${Math.round(firstAckMs)} ms`);
  return {
    sidecar,
    tap,
    firstAckMs,
    roll: async (seconds) => {
      const firstPlace = peers - REPLACED;
      injector.roll({
        firstNamespace: 0,
        namespaces: 1,
        firstPlace,
        changesPerSecond: CHANGES_PER_SECOND,
      });
      await sleep(seconds * 1000);
      await injector.rest();
    },
    stop: async () => {
      await sidecar.stop();
      tap.close();
      await injector.kill();
    },
  };
}

/** What changes of its peers cost, and how long they take. */
async function changing(run: RowRun, main: string, peers: number, seconds: number) {
  const running = await start(run, main, peers);
  const { sidecar, tap, firstAckMs } = running;
  await run.settle();
  tap.takeWaits();
  const before = { cpu: sidecar.cpuSeconds, written: sidecar.writtenBytes };
  await running.roll(seconds);
  const core = (100 * (sidecar.cpuSeconds - before.cpu)) / seconds;
  const written = (sidecar.writtenBytes - before.written) / MB / seconds;
  await run.settle();
  const ackMs = p99(tap.takeWaits());
  await running.stop();
  return { core, written, ackMs, firstAckMs };
}

await runRow('sidecar', async (run) => {
  checkPrerequisites();
  const { many, rolled, most, seconds } = run.isQuick ? SIZES.quick : SIZES.full;
  const main = run.isQuick ? SOURCES : makeBundle();
  const tenThousand = await changing(run, main, many, seconds);
  const roll = await changing(run, main, rolled, seconds);
  const running = await start(run, main, most);
  await run.settle();
  const { residentBytes, peakBytes } = running.sidecar;
  const values = {
    core: tenThousand.core,
    written: tenThousand.written,
    ack_p99: tenThousand.ackMs,
    first_ack: tenThousand.firstAckMs,
    roll_core: roll.core,
    roll_ack_p99: roll.ackMs,
    peak: peakBytes / MIB,
    resident: residentBytes / MIB,
    most_ack: running.firstAckMs,
  };
  await running.stop();
  return values;
});
