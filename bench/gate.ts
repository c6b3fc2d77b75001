/**
 * What the gate's transactions cost: 10,000 peers and 1,000 rules put in force whole, then one peer that comes and goes, and
 * one that does with ports of its own, which takes a chain. Planning included. Needs root. Prints one JSON document:
 * medians with the least and the most of all runs, in milliseconds.
 */
import { spawnSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { SIDECAR_PORTS } from '../common/contract.ts';
import type { Table } from '../policy/index.ts';
import type { GateSettings } from '../sidecar/gate/kernel/index.ts';
import { Gate } from '../sidecar/gate/kernel/index.ts';
import { largeTable, withPeer } from './large_table.ts';
import { summarize } from './statistics.ts';

const RUNS = 15;
const SETTINGS: GateSettings = { deny: 'drop', otherProtocols: 'drop', adminPort: SIDECAR_PORTS.admin };
/** Set in the process that runs in the network namespace. */
const INSIDE = 'SLUICE_BENCH_INSIDE';

function ip(...args: string[]): void {
  const { status } = spawnSync('ip', args, { stdio: 'inherit' });
  if (status !== 0) throw new Error(`\`ip ${args.join(' ')}\` failed`);
}

/** Makes a namespace and runs this file again in it. */
function runInside(): void {
  const netns = `sluice-bench-${process.pid}`;
  ip('netns', 'add', netns);
  try {
    process.env[INSIDE] = '1';
    ip('netns', 'exec', netns, process.execPath, import.meta.filename);
  } finally {
    ip('netns', 'del', netns);
  }
}

async function measure(): Promise<void> {
  const figures = new Map<string, number[]>();
  const small = largeTable();
  const joined = withPeer(small, '10.250.0.1', 'g0');
  // In two groups: nobody else has the ports of both.
  const special = withPeer(joined, '10.250.0.1', 'g1');
  for (let run = 0; run < RUNS; run += 1) {
    let change = 0;
    let reached = 0;
    const failed = (_rules: string, problem: string): void => {
      throw new Error(problem);
    };
    const gate = new Gate(SETTINGS, [], {
      inForce: (number) => {
        reached = number;
      },
      closed: () => {},
      failed,
      unavailable: failed,
      beforeReplace: async () => {},
      replaced: () => {},
    });
    const enforce = async (name: string, table: Table): Promise<void> => {
      const startedAt = performance.now();
      change += 1;
      await gate.enforce(table, change);
      if (reached !== change) throw new Error(`table ${change} is not in force`);
      figures.set(name, [...(figures.get(name) ?? []), performance.now() - startedAt]);
    };
    await enforce('load_ms', small);
    await enforce('add_peer_ms', joined);
    await enforce('add_chain_ms', special);
    await enforce('remove_chain_ms', joined);
    await enforce('remove_peer_ms', small);
    gate.close();
  }
  const rounded = [...figures].map(([name, list]) => {
    const { median, least, most } = summarize(list);
    return [name, { median: round(median), least: round(least), most: round(most) }];
  });
  const head = { peers: 10_000, rules: 1_000, runs: RUNS, load_average: loadavg()[0] };
  process.stdout.write(`${JSON.stringify({ ...head, ...Object.fromEntries(rounded) }, null, 2)}\n`);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

if (process.env[INSIDE] === undefined) runInside();
else await measure();
