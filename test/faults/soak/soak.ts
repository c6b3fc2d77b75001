/**
 * Case 30: a soak. For as long as asked, clients of both families connect, send datagrams, half-close and reset, flows
 * are held, and ten times a second a policy or a label changes. Every verdict is compared with an oracle's. Each minute
 * ends at rest: nothing under way but the kept flows, the objects as at the start. What the programs hold then is what
 * they held at the baseline, or something leaks.
 */
import { get } from 'node:http';
import { quantile } from '../../../bench/statistics.ts';
import { labPaths } from '../../../lab/names/paths.ts';
import { TestLab, until, wallClockMs } from '../../netns/harness.ts';
import { stateText } from './attempts.ts';
import { CHANGES_PER_SECOND, Churn } from './churn.ts';
import { drift, shown } from './drift.ts';
import { type Counts, Load } from './load.ts';
import { type Reading, readAll, type Watched } from './readings.ts';
import { Timeline } from './timeline.ts';
import { AT_REST_OPEN, CHANGING, FIXED, KEPT_PORT, OUTSIDE, PODS, STEADY } from './world.ts';

/** The minute that later ones are compared with: the case's; a soak that is shorter has its first. */
const BASELINE_MINUTE = 10;

/** Flows from the beginning to the end, of each family. */
const KEPT_FLOWS = 4;

/** What they do. */
const KEPT_WORK = { kind: 'echo', chunkBytes: 500, intervalMs: 250 } as const;

/** Downloads at once before each reading; half as many again as a sidecar keeps pipes. */
const DOWNLOADS = 48;
const DOWNLOAD_BYTES = 4_000_000;

/** Seconds of a minute that are load; the rest of it is for coming to rest and for the readings. */
const LOAD_SECONDS = 52;

/** How long flows may take to be gone from a sidecar once their clients have ended, in milliseconds. */
const REST_MS = 10_000;

/** Flows that are shown of those that are not gone. */
const SHOWN = 3;

/** What has been written and seen longer ago than this is no longer asked about, in milliseconds. */
const REMEMBERED_MS = 60_000;

const MIB = 1024 * 1024;

/**
 * What resident memory may differ beside the 5 %, where the baseline is the first minute: the heap of a Node process still
 * grows to its size then.
 */
const YOUNG_RSS_BYTES = 16 * MIB;

/** How to run it. */
export interface SoakOptions {
  readonly minutes: number;
  /** Told a line each minute, and findings as they come. */
  readonly progress: (line: string) => void;
  /** Ends it early; what was found until then counts. */
  readonly signal?: AbortSignal;
}

/** What came out of it. */
export interface SoakOutcome extends Counts {
  readonly minutes: number;
  readonly changes: number;
  /** What is wrong; empty when all is well. */
  readonly findings: readonly string[];
}

/** Runs a soak in a lab of its own. */
export async function soak({ minutes, progress, signal }: SoakOptions): Promise<SoakOutcome> {
  const findings: string[] = [];
  const found = (finding: string): void => {
    findings.push(finding);
    progress(`FOUND ${finding}`);
  };
  const startedMs = wallClockMs();
  const timeline = new Timeline();
  for (const object of FIXED) timeline.written(nameOf(object), object, startedMs);
  for (const { name, atRest } of CHANGING) timeline.written(name, atRest, startedMs);
  const objects = [...FIXED, ...CHANGING.flatMap(({ atRest }) => (atRest === undefined ? [] : [atRest]))];
  const net = await TestLab.up({ objects, external: OUTSIDE });
  try {
    const load = new Load(timeline, (target) => net.agent(target), Math.random, found);
    const churn = new Churn(net.lab, timeline, Math.random, (atMs) => load.changed(atMs));
    await keepFlows(net);
    const baselineMinute = minutes > BASELINE_MINUTE ? BASELINE_MINUTE : 1;
    const readings: ReadonlyMap<string, Reading>[] = [];
    while (readings.length < minutes && !signal?.aborted) {
      const changesBefore = churn.made;
      const minuteMs = wallClockMs();
      await loadFor(LOAD_SECONDS, load, churn, signal);
      const seconds = (wallClockMs() - minuteMs) / 1000;
      // A tenth less than the pace is a machine that has other work; less than that is not this case.
      if (churn.made - changesBefore < 0.9 * CHANGES_PER_SECOND * Math.min(LOAD_SECONDS, seconds) - 1)
        found(`only ${churn.made - changesBefore} changes in ${seconds.toFixed()} s`);
      await fillPools(net);
      for (const text of await comeToRest(net)) found(text);
      timeline.forget(wallClockMs() - REMEMBERED_MS);
      readings.push(await readAll(programs(net)));
      progress(described(readings, load.counts, churn, findings.length));
    }
    for (const text of await endKeptFlows(net)) found(text);
    const baseline = readings[baselineMinute - 1];
    const last = readings.at(-1);
    const allowance = baselineMinute === BASELINE_MINUTE ? 0 : YOUNG_RSS_BYTES;
    if (baseline !== undefined && last !== undefined)
      for (const text of drift(baseline, last, allowance)) found(text);
    return { minutes: readings.length, changes: churn.made, ...load.counts, findings };
  } finally {
    await net.close();
  }
}

async function loadFor(
  seconds: number,
  load: Load,
  churn: Churn,
  signal: AbortSignal | undefined,
): Promise<void> {
  const over = new AbortController();
  const time = AbortSignal.any([
    AbortSignal.timeout(seconds * 1000),
    over.signal,
    ...(signal ? [signal] : []),
  ]);
  try {
    await Promise.all([load.run(time), churn.run(time)]);
  } finally {
    over.abort(); // One of them may have failed.
  }
}

/**
 * Many downloads at once: a sidecar keeps pipes that it has needed for the next flows, up to 32, and closes one when a flow
 * is cut in the middle. So each reading is of full pools.
 */
async function fillPools(net: TestLab): Promise<void> {
  const { client, ports } = AT_REST_OPEN;
  for (const { server, port } of ports) {
    const [address] = server.ips;
    const group = `pools ${server.target}`;
    const work = { kind: 'receive', bytes: DOWNLOAD_BYTES } as const;
    await net.open(client.target, { group, count: DOWNLOADS, address, port, work });
    await net.finish(client.target, group);
  }
}

async function keepFlows(net: TestLab): Promise<void> {
  for (const address of KEPT_PORT.server.ips) {
    const request = {
      group: `kept ${address}`,
      count: KEPT_FLOWS,
      address,
      port: KEPT_PORT.port,
      work: KEPT_WORK,
    };
    await net.open(STEADY.target, request);
  }
}

/** Ends the kept flows. @returns what is wrong with them */
async function endKeptFlows(net: TestLab): Promise<readonly string[]> {
  const groups = KEPT_PORT.server.ips.map((address) => net.finish(STEADY.target, `kept ${address}`));
  return (await Promise.all(groups)).flat().flatMap((flow) => {
    const whole = flow.state === 'ended' && flow.receivedSha256 === flow.sentSha256;
    return whole ? [] : [`a kept flow was not left alone: ${stateText(flow)}`];
  });
}

/** Waits until no sidecar has a flow but the kept ones. @returns what is wrong */
async function comeToRest(net: TestLab): Promise<readonly string[]> {
  const findings: string[] = [];
  for (const { target } of PODS) {
    const kept = target === KEPT_PORT.server.target ? 2 * KEPT_FLOWS : 0;
    let left: readonly { readonly since: string }[] = [];
    await until(
      'flows are gone',
      async () => {
        left = JSON.parse((await net.admin(target, '/connections')).body) as typeof left;
        return left.length === kept;
      },
      REST_MS,
    ).catch(() => {
      const youngest = JSON.stringify(left.toSorted((a, b) => (a.since < b.since ? 1 : -1)).slice(0, SHOWN));
      findings.push(
        `${target} has ${left.length} flows at rest instead of ${kept}; the youngest: ${youngest}`,
      );
    });
  }
  return findings;
}

/** The injector and every sidecar. */
function programs(net: TestLab): readonly Watched[] {
  const { statusSocket } = labPaths(net.lab.name);
  const injector = { name: 'injector', pid: net.lab.injector().pid, metrics: () => metricsOf(statusSocket) };
  const sidecars = PODS.map(({ target }) => ({
    name: target,
    pid: net.lab.process(target, 'sidecar').pid,
    metrics: async () => (await net.admin(target, '/metrics')).body,
    netns: net.lab.netns(target),
  }));
  return [injector, ...sidecars];
}

function metricsOf(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path: '/metrics', agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve(body)).on('error', reject);
    }).on('error', reject);
  });
}

/** A minute in one line: what was done so far, and what all programs hold together. */
function described(
  readings: readonly ReadonlyMap<string, Reading>[],
  { judged, certain, allowed, cut }: Counts,
  churn: Churn,
  findings: number,
): string {
  const delays = churn.takeDelays().toSorted((a, b) => a - b);
  const [half, most] = [0.5, 0.99].map((share) => quantile(delays, share).toFixed());
  const total = new Map<string, number>();
  for (const reading of readings.at(-1)?.values() ?? [])
    for (const [name, value] of reading) total.set(name, (total.get(name) ?? 0) + value);
  const held = [...total].map(([name, value]) => `${name} ${shown(name, value)}`).join(', ');
  return (
    `minute ${readings.length}: ${judged} verdicts (${certain} outside of a change, ${allowed} allowed), ` +
    `${churn.made} changes (in force after ${half} ms, p99 ${most} ms), ${cut} flows cut, ${findings} findings; ${held}`
  );
}

function nameOf(manifest: (typeof FIXED)[number]): string {
  const { namespace = '', name } = manifest.metadata as { namespace?: string; name: string };
  return `${String(manifest.kind)} ${namespace}/${name}`;
}
