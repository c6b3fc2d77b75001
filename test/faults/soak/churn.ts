/** Changes of a lab's objects at a steady pace, and when each is in force. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Lab } from '../../../lab/lab.ts';
import { labPaths } from '../../../lab/names/paths.ts';
import { askInjector, sidecarsByPod } from '../../../lab/pods/injector_client.ts';
import type { Manifest } from '../../builders/manifests.ts';
import { wallClockMs } from '../../netns/harness.ts';
import { Acknowledged } from './acknowledged.ts';
import type { Timeline } from './timeline.ts';
import { CHANGING, type Changing, PODS, pick } from './world.ts';

/** The case's pace: changes a second. */
export const CHANGES_PER_SECOND = 10;

/** A change that is not in force everywhere after this long never will be, however busy the machine is; in milliseconds. */
const IN_FORCE_MS = 60_000;

/** How often to ask the injector, in milliseconds. */
const ASK_EVERY_MS = 10;

/** Makes changes until it is stopped. */
export class Churn {
  /** Changes made. */
  made = 0;
  /** When the changes were written that are not known to be in force. */
  #pendingMs: number[] = [];
  #delaysMs: number[] = [];
  readonly #lab: Lab;
  readonly #timeline: Timeline;
  readonly #random: () => number;
  readonly #inForce: (atMs: number) => void;

  /** @param inForce called when more changes are known to be in force */
  constructor(lab: Lab, timeline: Timeline, random: () => number, inForce: (atMs: number) => void) {
    this.#lab = lab;
    this.#timeline = timeline;
    this.#random = random;
    this.#inForce = inForce;
  }

  /** Changes one object after the other until the signal is aborted; then all are as at rest, and in force. */
  async run(signal: AbortSignal): Promise<void> {
    const following = new AbortController();
    const followed = this.#follow(following.signal);
    const startedMs = wallClockMs();
    try {
      for (let due = 1; !signal.aborted; due += 1) {
        const one = pick(CHANGING, this.#random);
        this.#write(one, one.next(this.#random));
        this.made += 1;
        const waitMs = startedMs + (due * 1000) / CHANGES_PER_SECOND - wallClockMs();
        // One that is overdue, as the machine was busy, is made at once.
        if (waitMs > 0) await Promise.race([delay(waitMs), followed]);
      }
      for (const one of CHANGING) this.#write(one, one.atRest);
    } finally {
      following.abort();
      await followed;
    }
  }

  /** How long each change since the last call took until it was known to be in force, in milliseconds. */
  takeDelays(): readonly number[] {
    const delays = this.#delaysMs;
    this.#delaysMs = [];
    return delays;
  }

  #write(one: Changing, manifest: Manifest | undefined): void {
    const nowMs = wallClockMs();
    this.#timeline.written(one.name, manifest, nowMs);
    this.#pendingMs.push(nowMs);
    if (manifest !== undefined) return this.#lab.writeObjects(manifest);
    this.#lab.removeObjects(one.atRest ?? { ...POLICY, metadata: keyOf(one.name) });
  }

  /** Asks the injector again and again how far the sidecars are; in the end, until all is in force. */
  async #follow(signal: AbortSignal): Promise<void> {
    const socketPath = labPaths(this.#lab.name).statusSocket;
    const acknowledged = new Acknowledged(PODS.map(({ target }) => target));
    while (!signal.aborted || this.#pendingMs.length > 0) {
      await delay(ASK_EVERY_MS);
      if (this.#pendingMs.length === 0) continue;
      const askedMs = wallClockMs();
      const report = await askInjector(socketPath, true);
      const knownMs = wallClockMs();
      if (report === undefined) throw new Error('the injector does not answer');
      const writtenMs = acknowledged.take(sidecarsByPod(report), askedMs);
      if (knownMs - (acknowledged.oldestMs ?? knownMs) > IN_FORCE_MS)
        throw new Error(
          `a change is not in force after ${IN_FORCE_MS} ms: ${JSON.stringify(report.sidecars)}`,
        );
      if (writtenMs === undefined) continue;
      for (const atMs of this.#pendingMs) if (atMs <= writtenMs) this.#delaysMs.push(knownMs - atMs);
      this.#pendingMs = this.#pendingMs.filter((atMs) => atMs > writtenMs);
      this.#timeline.inForce(writtenMs, knownMs);
      this.#inForce(knownMs);
    }
  }
}

const POLICY = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  spec: { podSelector: {} },
} as const;

function keyOf(name: string): { readonly namespace: string; readonly name: string } {
  const [namespace = '', own = ''] = name.split('/');
  return { namespace, name: own };
}
