/** The end of a sidecar: waits for the signal, lets live flows finish, and takes everything down. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { AdminPort } from '../admin/index.ts';
import type { SidecarConfig } from '../config.ts';
import type { FlowReports } from '../flows/index.ts';
import type { Guard } from '../guard/index.ts';
import type { Backlogs } from '../inbound/index.ts';
import type { Relay } from '../relay/index.ts';
import type { LiveTable, MembershipQueries, Owners, TableStream } from '../table/index.ts';
import { drainLeftMs, terminationBeganAtMs } from '../termination.ts';
import type { Direct } from './direct.ts';
import type { WatchedGate } from './gate.ts';
import type { Outbound } from './outbound.ts';
import type { WatchedRedirect } from './redirect.ts';
import type { State } from './state.ts';

/** A relay reports within 3 ms what it admitted from memory: ample time for all that it accepted before it was to stop. */
const LAST_ACCEPTED_MS = 50;

/** How often a drain looks whether flows are left. */
const DRAIN_POLL_MS = 50;

/** How long the ends of flows that a drain has reset may take to be recorded. */
const LAST_RECORDS_MS = 1_000;

const MS_PER_SECOND = 1000;

/** Resolves with the signal that asks this process to stop. */
export function terminated(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}

/** How long a drain that begins now may take, ms. */
export function drainTimeMs({ drainMs, stateDir }: SidecarConfig): number {
  const times = { startedAtMs: performance.timeOrigin, nowMs: Date.now() };
  return drainLeftMs(drainMs, terminationBeganAtMs(stateDir), times);
}

/** What takes part in draining. */
export interface DrainParts {
  readonly state: State;
  readonly redirect: WatchedRedirect;
  readonly relay: Relay;
  readonly backlogs: Backlogs;
  readonly log: Logger;
}

/** Accepts nothing more, lets live flows finish for `drainMs`, and resets those that are left. */
export async function drain(signal: NodeJS.Signals, drainMs: number, parts: DrainParts): Promise<void> {
  const { redirect, relay, backlogs, log } = parts;
  const { live } = parts.state;
  log.info({ signal, connections: live.size, drain_seconds: drainMs / MS_PER_SECOND }, 'draining');
  redirect.close(); // its port goes with the listeners
  relay.stopAccepting(); // from here on the redirect has no listener: new connections are dropped
  backlogs.close();
  await sleep(LAST_ACCEPTED_MS);
  await emptied(live, drainMs);
  for (const flow of live) flow.drain();
  await emptied(live, LAST_RECORDS_MS);
}

/** Waits until no flow is left, at most so long. */
async function emptied(live: LiveTable, patienceMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (live.size > 0 && performance.now() < deadline) await sleep(DRAIN_POLL_MS);
}

/** What has to be closed. */
export interface RunningParts {
  readonly state: State;
  readonly relay: Relay;
  readonly admin: AdminPort;
  readonly gate: WatchedGate;
  readonly outbound: Outbound;
  readonly direct: Direct;
  readonly owners: Owners;
  readonly flowReports: FlowReports;
  readonly membership: MembershipQueries;
  readonly stream: TableStream;
  readonly guard: Guard;
}

/** Closes everything, in an order in which what one part still has to say reaches the part that it says it to. */
export async function takeDown(parts: RunningParts): Promise<void> {
  const { state, relay, admin, gate, outbound, direct, owners, flowReports, membership, stream, guard } =
    parts;
  relay.close();
  admin.close();
  await gate.closeReports();
  await outbound.close();
  await direct.close();
  await owners.close(); // the last records are written
  flowReports.close(); // all has been counted
  membership.close();
  stream.close();
  state.enforcement.close(); // its table stays in force
  gate.gate.close(); // its rules stay: the kernel goes on enforcing
  await state.file.idle(); // before what may wait for a tool
  await guard.close(); // its rules stay as well
}
