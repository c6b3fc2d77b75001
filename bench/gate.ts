/**
 * What the gate's transactions cost: 10,000 peers and 1,000 rules loaded whole, then one peer that comes and goes.
 * Needs root. Prints one JSON document: medians with the least and the most of all runs, in milliseconds.
 */
import { spawnSync } from 'node:child_process';
import { gatePlan } from '../sidecar/gate/plan.ts';
import { changedRuleset, type GateSettings, wholeRuleset } from '../sidecar/gate/ruleset.ts';
import { largeTable } from './large_table.ts';

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

const figures: Record<'plan' | 'load' | 'replan' | 'addPeer' | 'removePeer', number[]> = {
  plan: [],
  load: [],
  replan: [],
  addPeer: [],
  removePeer: [],
};
ip('netns', 'add', netns);
try {
  for (let run = 0; run < RUNS; run += 1) {
    const small = largeTable(1);
    const large = largeTable(2, '10.250.0.1');
    const before = timed(figures.plan, () => gatePlan(small));
    timed(figures.load, () => nft(wholeRuleset(before, SETTINGS)));
    const after = timed(figures.replan, () => gatePlan(large));
    timed(figures.addPeer, () => nft(changedRuleset(before, after)));
    timed(figures.removePeer, () => nft(changedRuleset(after, before)));
  }
} finally {
  ip('netns', 'del', netns);
}
const entries = Object.entries(figures).map(([name, list]) => [`${name}_ms`, summary(list)]);
process.stdout.write(
  `${JSON.stringify({ peers: 10_000, rules: 1_000, runs: RUNS, ...Object.fromEntries(entries) }, null, 2)}\n`,
);
