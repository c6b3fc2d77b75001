/** What the programs of a lab hold, read from outside: /proc, nft, conntrack's table, and their own /metrics. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { residentBytes } from '../../../bench/process_usage.ts';
import { toolPath } from '../../../lab/processes/tools.ts';
import { run } from '../../netns/command.ts';

/** Each count is the least of so many looks, so that what a moment needs is not taken for what stays. */
const LOOKS = 5;

/** Between two looks, in milliseconds: some of a sidecar's own tasks run every second. */
const LOOK_EVERY_MS = 300;

/** A program to look at. */
export interface Watched {
  /** `injector`, or the key of a sidecar's pod. */
  readonly name: string;
  readonly pid: number;
  /** Its /metrics. */
  readonly metrics: () => Promise<string>;
  /** Sidecars: the network namespace with its gate and its connections. */
  readonly netns?: string;
}

/** What one program holds, by name of what is counted. All but `rss` are numbers of things. */
export type Reading = ReadonlyMap<string, number>;

/** Name of the reading that is in bytes. */
export const RSS = 'rss';

/** Reads what each program holds. Nothing should be under way. */
export async function readAll(programs: readonly Watched[]): Promise<ReadonlyMap<string, Reading>> {
  const readings = programs.map((program) => ({ program, reading: new Map<string, number>() }));
  for (let look = 0; look < LOOKS; look += 1) {
    for (const { program, reading } of readings) {
      for (const [name, value] of await readOne(program))
        reading.set(name, Math.min(value, reading.get(name) ?? value));
    }
    await delay(LOOK_EVERY_MS);
  }
  return new Map(readings.map(({ program, reading }) => [program.name, reading]));
}

async function readOne({ pid, metrics, netns }: Watched): Promise<[string, number][]> {
  const descriptors = openDescriptors(pid);
  const pipes = descriptors.filter((target) => target.startsWith('pipe:'));
  return [
    ['fds', descriptors.length],
    ['pipes', pipes.length],
    ['threads', readdirSync(`/proc/${pid}/task`).length],
    ['timers', timers(await metrics())],
    [RSS, residentBytes(pid)],
    ...(netns === undefined ? [] : await gateAndConnections(pid, netns)),
  ];
}

function openDescriptors(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((descriptor) => {
    try {
      return [readlinkSync(`${folder}/${descriptor}`)];
    } catch {
      return []; // Closed meanwhile.
    }
  });
}

function timers(metrics: string): number {
  const value = /^sluice_(?:injector_)?active_resources\{kind="Timeout"\} (\d+)$/m.exec(metrics)?.[1];
  return Number(value ?? 0);
}

async function gateAndConnections(pid: number, netns: string): Promise<[string, number][]> {
  const argv = ['ip', 'netns', 'exec', netns, 'nft', '-j', 'list', 'table', 'inet', 'sluice'];
  const table = JSON.parse(await run(argv, { PATH: toolPath() })) as { nftables: readonly NftObject[] };
  return [
    ['gate rules', table.nftables.filter(({ rule }) => rule !== undefined).length],
    ['gate sets', table.nftables.filter(({ set, map }) => (set ?? map) !== undefined).length],
    ['gate elements', table.nftables.reduce((sum, object) => sum + elements(object), 0)],
    ['connections', established(pid)],
  ];
}

interface NftObject {
  readonly rule?: object;
  readonly set?: NftSet;
  readonly map?: NftSet;
}

interface NftSet {
  /** Seconds that an element stays. */
  readonly timeout?: number;
  /** What each element has, such as a counter. */
  readonly stmt?: readonly object[];
  readonly elem?: readonly unknown[];
}

/** Those that the sidecar puts in. What packets put in goes by itself, or is counted. */
function elements({ set, map }: NftObject): number {
  const { timeout, stmt, elem = [] } = set ?? map ?? {};
  return timeout === undefined && stmt === undefined ? elem.length : 0;
}

/**
 * TCP connections that connection tracking of the program's network takes for open. Those that have been closed stay in
 * its table for up to two minutes, and are as many as the load was.
 */
function established(pid: number): number {
  const table = readFileSync(`/proc/${pid}/net/nf_conntrack`, 'latin1');
  return table.split('\n').filter((line) => line.includes(' ESTABLISHED ')).length;
}
