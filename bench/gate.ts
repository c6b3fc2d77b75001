/**
 * What the gate's transactions cost: 10,000 peers and 1,000 rules loaded whole, then one peer that comes and goes.
 * Needs root. Prints one JSON document: medians with the least and the most of all runs, in milliseconds.
 */
import { spawnSync } from 'node:child_process';
import { GatePlanner } from '../sidecar/gate/planner.ts';
import { changedRuleset, type GateSettings, wholeRuleset } from '../sidecar/gate/ruleset.ts';
import { largeTable, withPeer } from './large_table.ts';

const RUNS = 15;
const SETTINGS: GateSettings = { deny: 'drop', otherProtocols: 'drop', adminPort: 15_021 };
const netns = `sluice-bench-${process.pid}`;

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}

function nft(text: string): void {
  const { status, stderr } = spawnSync('ip', ['netns', 'exec', netns, 'nft', '-f', '-'], {
    input: text,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
}

function timed<T>(figures: number[], work: () => T): T {
  const startedAt = performance.now();
  const result = work();
  figures.push(performance.now() - startedAt);
  return result;
}

function summary(figures: number[]) {
  const sorted = figures.toSorted((a, b) => a - b);
  const round = (value: number | undefined) => Math.round((value ?? Number.NaN) * 10) / 10;
  return { median: round(sorted[sorted.length >> 1]), least: round(sorted[0]), most: round(sorted.at(-1)) };
}

const figures: Record<'plan' | 'load' | 'addPeer' | 'removePeer', number[]> = {
  plan: [],
  load: [],
  addPeer: [],
  removePeer: [],
};
ip('netns', 'add', netns);
try {
  for (let run = 0; run < RUNS; run += 1) {
    const planner = new GatePlanner();
    const small = largeTable();
    const large = withPeer(small, '10.250.0.1');
    const before = timed(figures.plan, () => planner.plan(small));
    timed(figures.load, () => nft(wholeRuleset(before, SETTINGS)));
    let after = before;
    timed(figures.addPeer, () => {
      after = planner.plan(large);
      nft(changedRuleset(before, after));
    });
    timed(figures.removePeer, () => nft(changedRuleset(after, planner.plan(small))));
  }
} finally {
  ip('netns', 'del', netns);
}
const entries = Object.entries(figures).map(([name, list]) => [`${name}_ms`, summary(list)]);
process.stdout.write(
  `${JSON.stringify({ peers: 10_000, rules: 1_000, runs: RUNS, ...Object.fromEntries(entries) }, null, 2)}\n`,
);
