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

/**
 * Asks once; undefined when nobody answers.
 * @param refresh first take in all that was written to the lab's manifests before
 */
export function askInjector(socketPath: string, refresh = false): Promise<InjectorReport | undefined> {
  return new Promise((resolve) => {
    const path = refresh ? '/status?refresh=1' : '/status';
    const asked = request({ socketPath, path, timeout: ANSWER_MS }, (response) => {
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
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Says why waiting is in vain: a process that has ended, for one. */
  readonly hopeless?: () => string | undefined;
}

/**
 * Waits until every pod's sidecar has in force what the lab's manifests say now; returns the injector's last report.
 * @throws SluiceError `LAB_NOT_ENFORCED` naming the pods that lag
 */
export async function waitEnforced(wait: EnforcementWait): Promise<InjectorReport> {
  const giveUpAt = Date.now() + wait.timeoutMs;
  let report = await askInjector(wait.socketPath, true);
  for (;;) {
    const lagging = lag(report, wait);
    if (report !== undefined && lagging.length === 0) return report;
    const reason = wait.hopeless?.() ?? (Date.now() > giveUpAt ? `after ${wait.timeoutMs} ms` : undefined);
    if (reason !== undefined) {
      throw new SluiceError('LAB_NOT_ENFORCED', `not enforced (${reason}): ${lagging.join('; ')}`);
    }
    await delay(POLL_MS);
    wait.signal?.throwIfAborted();
    report = await askInjector(wait.socketPath);
  }
}

/** Revisions of the pods' current tables, by pod key. */
export function revisionsOf(report: InjectorReport | undefined): ReadonlyMap<string, number> {
  return new Map(
    report?.sidecars.map((sidecar) => [`${sidecar.namespace}/${sidecar.pod}`, sidecar.revision]),
  );
}

function lag(report: InjectorReport | undefined, wait: EnforcementWait): string[] {
  if (report === undefined) return ['the injector does not answer'];
  const byPod = new Map(report.sidecars.map((sidecar) => [`${sidecar.namespace}/${sidecar.pod}`, sidecar]));
  return wait.pods.flatMap((key) => {
    const sidecar = byPod.get(key);
    if (sidecar === undefined) return [`${key}: the injector does not know the pod`];
    if (sidecar.error !== undefined) return [`${key}: ${sidecar.error}`];
    if (!sidecar.connected) return [`${key}: its sidecar is not connected`];
    if (sidecar.enforced !== sidecar.revision)
      return [`${key}: enforces ${sidecar.enforced}, not ${sidecar.revision}`];
    return [];
  });
}
