/** Asks a lab's injector how far its sidecars are. */

import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../../common/errors.ts';
import { PATH_USES } from '../../common/path.ts';
import {
  flag,
  integer,
  list,
  nullable,
  object,
  objectFor,
  oneOf,
  partFor,
  text,
} from '../../common/shape.ts';
import type { ServerStatus, SidecarStatus } from '../../injector/tables/index.ts';
import { objectKey } from '../../policy/index.ts';
import type { ManifestProblem } from '../../sources/index.ts';

/** How often to ask while waiting, in milliseconds. */
const POLL_MS = 10;

/** How long an answer may take, in milliseconds. */
const ANSWER_MS = 5000;

const anyText = text();
const whole = integer(0, Number.MAX_SAFE_INTEGER);

/** The form of what an injector says at `/status`. In a cluster it says more, which a lab does not need. */
const serverStatus = partFor<ServerStatus>(
  {
    revision: whole,
    problems: list(
      objectFor<ManifestProblem>(
        { file: anyText, document: whole, message: anyText, severity: oneOf('error', 'warning') },
        { object: anyText, path: anyText, notConsidered: oneOf(true), passedOver: oneOf(true) },
      ),
    ),
    sidecars: list(
      objectFor<SidecarStatus>(
        {
          namespace: anyText,
          pod: anyText,
          connected: flag,
          revision: whole,
          enforced: nullable(whole),
          warnings: list(anyText),
        },
        { error: anyText, path: oneOf(...PATH_USES) },
      ),
    ),
    waiting: list(object({ pod: anyText, message: anyText })),
  },
  {},
);

/**
 * Asks once; undefined when nobody answers.
 * @param refresh first take in all that was written to the lab's manifests before
 * @throws SluiceError `LAB_ANSWER_INVALID`
 */
export function askInjector(socketPath: string, refresh = false): Promise<ServerStatus | undefined> {
  return new Promise((resolve, reject) => {
    const path = refresh ? '/status?refresh=1' : '/status';
    const asked = request({ socketPath, path, timeout: ANSWER_MS }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('error', () => resolve(undefined));
      response.on('end', () => {
        if (response.statusCode !== 200) return resolve(undefined);
        try {
          resolve(readServerStatus(text));
        } catch (fault) {
          reject(fault);
        }
      });
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}

/** Reads what an injector says at `/status`. @throws SluiceError `LAB_ANSWER_INVALID` */
export function readServerStatus(json: string): ServerStatus {
  return serverStatus.readJson(json, 'the status', (problem, cause) => {
    const advice = 'is its injector of another version of Sluice? Take the lab down and bring it up again';
    return new SluiceError('LAB_ANSWER_INVALID', `the injector of the lab: ${problem}: ${advice}`, { cause });
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
export async function waitEnforced(wait: EnforcementWait): Promise<ServerStatus> {
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
export function revisionsOf(report: ServerStatus | undefined): ReadonlyMap<string, number> {
  return new Map([...sidecarsByPod(report)].map(([key, sidecar]) => [key, sidecar.revision]));
}

/** What a report says of each sidecar, by pod key; nothing where there is no report. */
export function sidecarsByPod(report: ServerStatus | undefined): ReadonlyMap<string, SidecarStatus> {
  return new Map(report?.sidecars.map((sidecar) => [objectKey(sidecar.namespace, sidecar.pod), sidecar]));
}

function lag(report: ServerStatus | undefined, wait: EnforcementWait): string[] {
  if (report === undefined) return ['the injector does not answer'];
  const byPod = sidecarsByPod(report);
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
