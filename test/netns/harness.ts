/**
 * What network tests share: a lab of their own that is gone when they end, however they end, and clients in it.
 *
 *   const net = useLab({ objects: [node(1), pod('a/x', { ips: ['10.1.1.1'] }), …] });
 *   test('…', async () => {
 *     expect(await net.connect('a/x', '10.1.1.2', 80)).toMatchObject({ allowed: true, seenAddress: '10.1.1.1' });
 *   });
 */

import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll } from 'vitest';
import { SIDECAR_PORTS } from '../../common/contract.ts';
import { list } from '../../common/shape.ts';
import { type FlowRecord, flowRecord } from '../../flows/index.ts';
import { Agent } from '../../lab/agent/agent.ts';
import type {
  ConnectResult,
  DatagramResult,
  FlowReport,
  HttpResult,
  OpenRequest,
} from '../../lab/agent/protocol.ts';
import { APP_SERVER } from '../../lab/app/program.ts';
import { takeLabDown } from '../../lab/down.ts';
import { guardLab } from '../../lab/guard.ts';
import { Lab } from '../../lab/lab.ts';
import type { UpOptions } from '../../lab/up.ts';
import type { Manifest } from '../builders/manifests.ts';

const ROOT = join(import.meta.dirname, '../..');

const flowRecords = list(flowRecord);

export { patternSha256 } from '../../lab/app/pattern.ts';

/** The launcher of the command, as a user has it. */
export const SLUICE = join(ROOT, 'cli/bin/sluice');

/** Default of SLUICE_ADMIN_PORT. */
const ADMIN_PORT = SIDECAR_PORTS.admin;

/** `SLUICE_TEST_PATH=direct` runs a suite over the direct path; without it sidecars have the usual path. */
const TEST_PATH = process.env.SLUICE_TEST_PATH;

/** Whether a suite runs over the direct path: docs/what-an-app-can-notice.md says where the paths differ. */
export const IS_DIRECT = TEST_PATH === 'direct';

/** Cases of the proxy alone, such as a kernel without nft: over the direct path there are none of them. */
export function ofProxy<T>(...cases: readonly T[]): readonly T[] {
  return IS_DIRECT ? [] : cases;
}

/** Values of `SLUICE_RELAY` that a suite runs with. Nothing is relayed on the direct path: there it runs once. */
export const RELAYS: readonly string[] = ['splice', ...ofProxy('node')];

/** How often `until` looks, in milliseconds; and how often where looking disturbs what is looked at. */
const POLL_MS = 10;
const SELDOM_MS = 250;

/** How long to wait for an answer. */
export interface Patience {
  readonly timeoutMs: number;
}

/** For an answer that has to come: the machine may be busy. What `TestLab` waits unless told otherwise. */
export const ANSWER: Patience = { timeoutMs: 5_000 };

/** Where none may come: silence for this long is a denial, as in a lab an answer takes a few milliseconds. */
export const SILENCE: Patience = { timeoutMs: 400 };

/** For a probe whose answer is expected, or is not. */
export function patience(answered: boolean): Patience {
  return answered ? ANSWER : SILENCE;
}

/** The lab of a test file. */
export interface LabSpec {
  readonly objects: readonly Manifest[];
  /** Default: one that nobody else has. */
  readonly name?: string;
  readonly external?: readonly string[];
  /** Environment of every sidecar. */
  readonly sidecarEnv?: Readonly<Record<string, string>>;
  /** Runs the control plane, instead of the lab's own injector; see `UpOptions`. */
  readonly controlPlane?: UpOptions['controlPlane'];
}

/** A lab with clients in it. */
export class TestLab {
  readonly lab: Lab;
  readonly #agents = new Map<string, Agent>();
  readonly #release: () => void;

  private constructor(lab: Lab, release: () => void) {
    this.lab = lab;
    this.#release = release;
  }

  /** Brings up a lab with a name of its own. The caller closes it; a watchdog does if this process dies before. */
  static async up(spec: LabSpec): Promise<TestLab> {
    const name = spec.name ?? uniqueLabName();
    const release = guardLab(name);
    const folder = writeManifests(spec.objects);
    try {
      const { external, controlPlane } = spec;
      const path = TEST_PATH === undefined ? {} : { SLUICE_PATH: TEST_PATH };
      const sidecarEnv = { ...path, ...spec.sidecarEnv };
      const own = controlPlane === undefined ? {} : { controlPlane };
      const lab = await Lab.up({ name, paths: [folder], external, sidecarEnv, ...own });
      return new TestLab(lab, release);
    } catch (error) {
      release();
      throw error;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** The agent of a target: `namespace/pod`, `node/NAME`, `outside`. Started when first asked for. */
  agent(target: string): Agent {
    const known = this.#agents.get(target);
    if (known !== undefined) return known;
    const agent = new Agent(this.lab, target);
    this.#agents.set(target, agent);
    return agent;
  }

  /** Connects, sends a line and reads the app's answer. */
  connect(
    from: string,
    address: string,
    port: number,
    options: { readonly localAddress?: string; readonly send?: string } & Partial<Patience> = {},
  ): Promise<ConnectResult> {
    return this.agent(from).ask({ do: 'connect', address, port, ...ANSWER, ...options });
  }

  /** Sends a UDP datagram and waits for the app's answer. */
  datagram(
    from: string,
    address: string,
    port: number,
    options: { readonly localAddress?: string } & Partial<Patience> = {},
  ): Promise<DatagramResult> {
    return this.agent(from).ask({ do: 'datagram', address, port, ...ANSWER, ...options });
  }

  /** The records that a pod's sidecar shows, oldest first. Fails where one has not the form that other programs go by. */
  async flows(pod: string): Promise<readonly FlowRecord[]> {
    const { body } = await this.admin(pod, '/flows');
    return flowRecords.readJson(body, '/flows', (problem) => new Error(problem));
  }

  /** Asks the admin port of a pod's sidecar, from inside the pod. */
  admin(pod: string, path: string): Promise<HttpResult> {
    return this.agent(pod).ask({ do: 'http', port: ADMIN_PORT, path });
  }

  /** Opens flows and holds them; see `lab/agent/protocol.ts`. */
  open(from: string, request: Omit<OpenRequest, 'do'>): Promise<readonly FlowReport[]> {
    return this.agent(from).ask({ do: 'open', ...request });
  }

  report(from: string, group: string): Promise<readonly FlowReport[]> {
    return this.agent(from).ask({ do: 'report', group });
  }

  /**
   * Waits until all flows of a group are over. Asks seldom: the flows note themselves when they were over, and a report of
   * hundreds of them costs the client time that it would miss for that.
   * @param pollMs how often
   */
  allOver(from: string, group: string, pollMs = SELDOM_MS): Promise<readonly FlowReport[]> {
    return until(
      `${group} is over`,
      async () => {
        const flows = await this.report(from, group);
        return flows.every((flow) => flow.overAt !== undefined) && flows;
      },
      ANSWER.timeoutMs * 2,
      pollMs,
    );
  }

  finish(from: string, group: string, timeoutMs = 30_000): Promise<readonly FlowReport[]> {
    return this.agent(from).ask({ do: 'finish', group, timeoutMs });
  }

  /** Resets flows: RST instead of FIN. */
  resetFlows(from: string, group: string): Promise<readonly FlowReport[]> {
    return this.agent(from).ask({ do: 'reset', group });
  }

  /** Starts the lab's app server somewhere it is not by itself, such as `outside`; it listens when this returns. */
  async serve(target: string, ports: readonly string[]): Promise<ChildProcess> {
    const argv = [process.execPath, APP_SERVER, ...ports];
    const child = this.lab.spawnIn(target, argv, {
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
      env: { SLUICE_READY_FD: '3' },
    });
    for await (const _ready of child.stdio[3] as Readable) return child;
    throw new Error(`the server of ${ports.join(' ')} in ${target} did not start`);
  }

  /** Connections that a pod's app has accepted so far. */
  accepted(
    pod: string,
  ): readonly { readonly peer: string; readonly peerPort: number; readonly port: number }[] {
    const lines = readFileSync(this.lab.logFile(pod, 'app'), 'utf8').trimEnd().split('\n');
    return lines.filter((line) => line.includes('"accepted"')).map((line) => JSON.parse(line));
  }

  /** JSON lines of a pod's app. */
  appLog(pod: string): readonly Readonly<Record<string, unknown>>[] {
    const lines = readFileSync(this.lab.logFile(pod, 'app'), 'utf8').split('\n');
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  /** JSON lines of a sidecar's log; lines that are not JSON are left out. */
  sidecarLog(pod: string): readonly Readonly<Record<string, unknown>>[] {
    const lines = readFileSync(this.lab.logFile(pod, 'sidecar'), 'utf8').split('\n');
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  /** Applies manifests as the command does; returns when they are in force. */
  async apply(...objects: readonly Manifest[]): Promise<void> {
    await this.#withFiles(objects, async (folder) => void (await this.lab.apply([folder])));
  }

  /** Deletes objects as the command does; returns when that is in force. */
  async delete(...objects: readonly Manifest[]): Promise<void> {
    await this.#withFiles(objects, async (folder) => void (await this.lab.delete([folder])));
  }

  async close(): Promise<void> {
    for (const agent of this.#agents.values()) agent.close();
    await this.lab.down();
    this.#release();
  }

  async #withFiles(objects: readonly Manifest[], use: (folder: string) => Promise<void>): Promise<void> {
    const folder = writeManifests(objects);
    try {
      await use(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

/** A lab for all tests of a file or `describe`: up before them, gone after them. */
export function useLab(spec: LabSpec): TestLab {
  let current: TestLab | undefined;
  beforeAll(async () => {
    current = await TestLab.up(spec);
  });
  afterAll(async () => {
    await current?.close();
  });
  // Tests are written before the lab is there: the handle looks it up when it is used.
  return new Proxy({} as TestLab, {
    get: (_target, property) => {
      if (current === undefined) throw new Error('the lab is up only while tests run');
      const value: unknown = Reflect.get(current, property, current);
      return typeof value === 'function' ? value.bind(current) : value;
    },
  });
}

/** A lab name nobody else has. */
export function uniqueLabName(): string {
  return `t-${process.pid}-${randomBytes(4).toString('hex')}`;
}

/** Makes sure that a lab made by other means is gone after the test. */
export async function removeLab(name: string): Promise<void> {
  await takeLabDown(name);
}

/** Writes manifests into a new folder; the caller removes it. */
export function writeManifests(objects: readonly Manifest[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  writeFileSync(join(folder, 'objects.json'), JSON.stringify(list));
  return folder;
}

/** Waits until `look` returns something other than undefined or false. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 10_000,
  pollMs = POLL_MS,
): Promise<T> {
  const giveUpAt = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > giveUpAt) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await delay(pollMs);
  }
}

/** The wall clock in milliseconds with fractions, comparable with the agents' `overAt`. */
export function wallClockMs(): number {
  return performance.timeOrigin + performance.now();
}
