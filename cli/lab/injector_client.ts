/** Asks a lab's injector how far its sidecars are. */

import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../../policy/errors.ts';

/** How often to ask while waiting, in milliseconds. */
const POLL_MS = 10;

/** How long an answer may take, in milliseconds. */
const ANSWER_MS = 5000;

/** One subject pod, as the injector sees it. */
export interface SidecarReport {
  readonly namespace: string;
  readonly pod: string;
  readonly connected: boolean;
  /** Of the pod's current table. */
  readonly revision: number;
  /** The revision the sidecar has in force; null: none yet. */
  readonly enforced: number | null;
  readonly error?: string;
}

/** Answer of the injector's /status. */
export interface InjectorReport {
  readonly revision: number;
  readonly problems: readonly unknown[];
  readonly sidecars: readonly SidecarReport[];
}

/** Asks once; undefined when nobody answers. */
export function askInjector(socketPath: string): Promise<InjectorReport | undefined> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/status', timeout: ANSWER_MS }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('error', () => resolve(undefined));
      response.on('end', () => {
        try {
          resolve(response.statusCode === 200 ? (JSON.parse(text) as InjectorReport) : undefined);
        } catch {
          resolve(undefined);
        }
      });
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}

/** What to wait for. */
export interface EnforcementWait {
  readonly socketPath: string;
  /** Pods whose sidecar must have its current table in force. */
  readonly pods: readonly string[];
  /** Pods whose table must be newer than this revision first. */
  readonly newerThan: ReadonlyMap<string, number>;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Says why waiting is in vain: a process that has ended, for one. */
  readonly hopeless?: () => string | undefined;
}

/**
 * Waits until every pod's sidecar has its current table in force.
 * @throws SluiceError `LAB_NOT_ENFORCED` naming the pods that lag
 */
export async function waitEnforced(wait: EnforcementWait): Promise<void> {
  const giveUpAt = Date.now() + wait.timeoutMs;
  for (;;) {
    wait.signal?.throwIfAborted();
    const report = await askInjector(wait.socketPath);
    const lagging = lag(report, wait);
    if (lagging.length === 0) return;
    const reason = wait.hopeless?.() ?? (Date.now() > giveUpAt ? `after ${wait.timeoutMs} ms` : undefined);
    if (reason !== undefined) {
      throw new SluiceError('LAB_NOT_ENFORCED', `not enforced (${reason}): ${lagging.join('; ')}`);
    }
    await delay(POLL_MS);
  }
}

function lag(report: InjectorReport | undefined, wait: EnforcementWait): string[] {
  if (report === undefined) return ['the injector does not answer'];
  const byPod = new Map(report.sidecars.map((sidecar) => [`${sidecar.namespace}/${sidecar.pod}`, sidecar]));
  return wait.pods.flatMap((key) => {
    const sidecar = byPod.get(key);
    if (sidecar === undefined) return [`${key}: the injector does not know the pod`];
    if (sidecar.error !== undefined) return [`${key}: ${sidecar.error}`];
    if (!sidecar.connected) return [`${key}: its sidecar is not connected`];
    const newerThan = wait.newerThan.get(key) ?? -1;
    if (sidecar.revision <= newerThan) return [`${key}: has no new table yet`];
    if (sidecar.enforced !== sidecar.revision)
      return [`${key}: enforces ${sidecar.enforced}, not ${sidecar.revision}`];
    return [];
  });
}
