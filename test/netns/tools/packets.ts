/**
 * Packets past the kernel's own sockets, for tests: SCTP by raw chunks (the kernel need not have SCTP), and floods of
 * SYNs. The program is `packets.c`, compiled into a temporary folder before the tests that use it.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { Lab } from '../../../lab/lab.ts';
import { run } from '../command.ts';

/** A warning is an error: the program handles packets from the network. */
const COMPILE = ['cc', '-std=c11', '-O2', '-Wall', '-Wextra', '-Werror'];

/** Exit codes of `sctp-probe`. */
const ANSWERED = 0;
const NOT_ANSWERED = 1;

/** One INIT. */
export interface SctpProbe {
  /** The client's own address, of the same family. */
  readonly source: string;
  readonly address: string;
  readonly port: number;
  /** How long to wait for the INIT ACK. */
  readonly timeoutMs: number;
  /** The whole handshake, so that there is an association; default: an INIT and its answer. */
  readonly isWhole?: boolean;
}

/** SYNs from many made-up sources. */
export interface SynFlood {
  /** Sources are the addresses of this prefix, one after the other: `198.18.0.0/15`. */
  readonly sources: string;
  readonly address: string;
  readonly port: number;
  /** Packets a second, at most. */
  readonly rate: number;
  readonly seconds: number;
  /** The processor that the sender, and with it the packet's way to the pod, runs on; default any. */
  readonly cpu?: number;
  /** Flags instead of SYN alone, RFC 9293 3.1. */
  readonly flags?: number;
}

/** What a flood came to. */
export interface FloodResult {
  readonly sent: number;
  readonly seconds: number;
}

/** The compiled program. */
export class PacketTool {
  readonly #path: string;

  /** @param path of the executable */
  constructor(path: string) {
    this.#path = path;
  }

  /** Answers INITs in a namespace until the lab is down; it listens when this returns. */
  async serveSctp(lab: Lab, target: string, ports: readonly number[]): Promise<ChildProcess> {
    const argv = [this.#path, 'sctp-serve', ...ports.map(String)];
    const child = lab.spawnIn(target, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const _ready of child.stdout ?? []) return child;
    throw new Error(`no SCTP server in ${target}`);
  }

  /** Whether an INIT is answered by a valid INIT ACK in time. */
  async probeSctp(lab: Lab, from: string, probe: SctpProbe): Promise<boolean> {
    const { source, address, port, timeoutMs, isWhole = false } = probe;
    const argv = [this.#path, 'sctp-probe', source, address, String(port), String(timeoutMs)];
    if (isWhole) argv.push('whole');
    const child = lab.spawnIn(from, argv, { stdio: ['ignore', 'ignore', 'inherit'] });
    const code = await exitCode(child);
    if (code === ANSWERED || code === NOT_ANSWERED) return code === ANSWERED;
    throw new Error(`the SCTP probe from ${from} (${source}) to ${address} failed: ${code}`);
  }

  /** Sends an ICMP echo request. @returns whether the reply came */
  async probeEcho(lab: Lab, from: string, address: string, timeoutMs: number): Promise<boolean> {
    const argv = [this.#path, 'icmp-echo', address, String(timeoutMs)];
    const code = await exitCode(lab.spawnIn(from, argv, { stdio: ['ignore', 'ignore', 'inherit'] }));
    if (code === ANSWERED || code === NOT_ANSWERED) return code === ANSWERED;
    throw new Error(`the echo request from ${from} to ${address} failed: ${code}`);
  }

  /**
   * Sends a datagram and waits for an answer. @returns whether one came
   * @param bytes more than 1,472 go as fragments
   * @param options with a destination options header; IPv6 only
   */
  async askUdp(
    lab: Lab,
    from: string,
    to: { readonly address: string; readonly port: number; readonly timeoutMs: number },
    bytes: number,
    options = false,
  ): Promise<boolean> {
    const { address, port, timeoutMs } = to;
    const argv = [this.#path, 'udp-ask', address, String(port), String(timeoutMs), String(bytes)];
    const child = lab.spawnIn(from, options ? [...argv, 'options'] : argv, {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const code = await exitCode(child);
    if (code === ANSWERED || code === NOT_ANSWERED) return code === ANSWERED;
    throw new Error(`the datagram from ${from} to ${address} failed: ${code}`);
  }

  /** Sends SYNs; returns when all are sent. From a namespace without connection tracking: it would fill up. */
  async floodSyns(lab: Lab, from: string, flood: SynFlood): Promise<FloodResult> {
    const { sources, address, port, rate, seconds, cpu, flags } = flood;
    const numbers = [port, rate, seconds, ...(flags === undefined ? [] : [flags])];
    const argv = [this.#path, 'syn-flood', sources, address, ...numbers.map(String)];
    const pinned = cpu === undefined ? argv : ['taskset', '--cpu-list', String(cpu), ...argv];
    const child = lab.spawnIn(from, pinned, { stdio: ['ignore', 'pipe', 'inherit'] });
    const over = exitCode(child);
    let output = '';
    for await (const piece of child.stdout ?? []) output += piece;
    const [, sent, took] = /^sent (\d+) seconds ([\d.]+)$/m.exec(output) ?? [];
    if ((await over) !== 0 || sent === undefined) throw new Error(`the flood from ${from} failed: ${output}`);
    return { sent: Number(sent), seconds: Number(took) };
  }
}

/** The program for all tests of a file or `describe`: compiled before them, gone after them. */
export function usePackets(): { readonly tool: PacketTool } {
  let folder: string | undefined;
  let tool: PacketTool | undefined;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-packets-'));
    const path = join(folder, 'packets');
    await run([...COMPILE, '-o', path, join(import.meta.dirname, 'packets.c')]);
    tool = new PacketTool(path);
  });
  afterAll(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });
  return {
    get tool(): PacketTool {
      if (tool === undefined) throw new Error('the program is there only while tests run');
      return tool;
    },
  };
}

/** Rejects when the process did not start. */
function exitCode(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
}
