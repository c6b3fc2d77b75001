/**
 * What it costs to keep the table on disk while pods come and go: a table of many peers, 33 changes a second. Prints one JSON
 * document: bytes written per second, the longest turn of the event loop, and how long a change takes until it is kept. The
 * changes are worked out beforehand: only the file is measured. No root.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { groupChange, TABLE_SCHEMA, type Table, type TableChange, tableJson } from '../policy/index.ts';
import { TableFile } from '../sidecar/table/index.ts';
import { largeTable, withPeer } from './large_table.ts';
import { quantile } from './statistics.ts';

const MS_PER_SECOND = 1000;
const NS_PER_MS = 1e6;
const NEWCOMER = '10.250.0.1';
const GROUP = 'g0';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '33' },
    peers: { type: 'string', default: '10000,50000' },
    /** As before there was a journal. */
    whole: { type: 'boolean', default: false },
  },
});

/** Bytes that this process has handed to write calls. Source: proc(5), `wchar`. */
function written(): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

/** A peer that comes, and goes again. */
function changesOf(table: Table, rate: number, seconds: number): { table: Table; change: TableChange }[] {
  const joined = withPeer(table, NEWCOMER, GROUP);
  return Array.from({ length: rate * seconds }, (_, i) => {
    const [before, after] = i % 2 === 0 ? [table, joined] : [joined, table];
    const next = { ...after, revision: i + 2 };
    return { table: next, change: memberChange(before, next, i + 1) };
  });
}

/** As the injector sends a change of one member. */
function memberChange({ groups: before }: Table, { groups, revision }: Table, from: number): TableChange {
  const now = groups.get(GROUP);
  const change = now === undefined ? undefined : groupChange(before.get(GROUP), now);
  if (change === undefined) throw new Error('nothing has changed');
  return { schema: TABLE_SCHEMA, from, revision, groups: { [GROUP]: change } };
}

async function measure(peers: number, rate: number, seconds: number) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-table-'));
  try {
    const file = new TableFile(folder, (error) => {
      throw error;
    });
    const table = largeTable(peers);
    const steps = changesOf(table, rate, seconds);
    const turns = monitorEventLoopDelay({ resolution: 1 });
    turns.enable();
    const firstBegan = performance.now();
    file.save(table);
    await file.flush();
    const firstMs = performance.now() - firstBegan;
    const firstBytes = written();
    const keptMs: number[] = [];
    const began = performance.now();
    for (const [i, { table: next, change }] of steps.entries()) {
      await sleep(Math.max(0, began + (i * MS_PER_SECOND) / rate - performance.now()));
      const saved = performance.now();
      file.save(next, values.whole ? undefined : [change]);
      void file.flush().then(() => keptMs.push(performance.now() - saved));
    }
    await file.idle();
    turns.disable();
    const tookSeconds = (performance.now() - began) / MS_PER_SECOND;
    const bytesPerSecond = Math.round((written() - firstBytes) / tookSeconds);
    const loadBegan = performance.now();
    const revision = file.load('shop', 'api')?.table.revision;
    const loadMs = performance.now() - loadBegan;
    const sorted = keptMs.toSorted((a, b) => a - b);
    return {
      peers,
      rate,
      snapshotBytes: JSON.stringify(tableJson(table)).length,
      bytesPerSecond,
      loadAverage: loadavg()[0],
      longestTurnMs: turns.max / NS_PER_MS,
      firstMs,
      keptMs: { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), most: quantile(sorted, 1) },
      loadMs,
      isLatest: revision === steps.at(-1)?.table.revision,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const figures: object[] = [];
for (const peers of values.peers.split(','))
  figures.push(await measure(Number(peers), Number(values.rate), Number(values.seconds)));
process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
