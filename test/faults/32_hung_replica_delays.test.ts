/**
 * Case 32. Given three injectors and 60 sidecars, when one injector hangs, as a stopped process does, then its sidecars have dialled
 * another one within 3 s, and are served as soon as they reach one that answers; nothing is cut, and nobody else notices.
 */
import { expect, test } from 'vitest';
import { until } from '../netns/harness.ts';
import type { FollowingSidecar } from '../support/following_sidecar.ts';
import type { InjectorProcess } from '../unit/injector/kubernetes/injector_process.ts';
import { START_MS, type StartedSidecar, useReplicas } from './replicas.ts';

const SIDECARS = 60;

/** The bound, and what a busy machine may add to it, ms. */
const LEFT_MS = 3_000 + 1_000;

/** When the kubelet's probe has failed and the Service leaves the replica out, ms: `periodSeconds` and `failureThreshold` of the manifests. */
const ENDPOINT_GONE_MS = 10_000;

/** Two tries that meet the replica that hangs wait for 3 and 6 s; by then it is no endpoint any more. */
const SERVED_MS = 25_000;

const replicas = useReplicas(3, SIDECARS);

test(
  'an injector that hangs is left within 3 s, and nothing is cut',
  async () => {
    const { all, sidecars } = replicas();
    await replicas().ready();
    const groups = new Map<InjectorProcess, FollowingSidecar[]>(all.map((replica) => [replica, []]));
    const started: StartedSidecar[] = [];
    for (let place = 0; place < SIDECARS; place += 1) {
      const first = all[place % all.length];
      if (first === undefined) throw new Error('no replica');
      // One after the other: one address makes 20 handshakes a second at once, and has 16 places.
      started.push(await replicas().sidecar(`pod-${place}`, first));
    }
    for (const { sidecar, last } of started) groups.get(last())?.push(sidecar);
    const hung = all.find((replica) => (groups.get(replica) ?? []).length > 0) ?? all[0];
    if (hung === undefined) throw new Error('no replica');
    const its = groups.get(hung) ?? [];
    const others = sidecars.filter((sidecar) => !its.includes(sidecar));
    const lost = sidecars.map(({ losses }) => losses.length);

    const hungAtMs = performance.now();
    hung.pause();
    const gone = setTimeout(() => {
      replicas().endpoints = all.filter((replica) => replica !== hung);
    }, ENDPOINT_GONE_MS);
    const leftMs = (sidecar: FollowingSidecar) =>
      (sidecar.dialledAtMs.find((atMs) => atMs > hungAtMs) ?? Number.POSITIVE_INFINITY) - hungAtMs;
    const servedMs = (sidecar: FollowingSidecar) =>
      (sidecar.moves.find(({ atMs }) => atMs > hungAtMs)?.atMs ?? Number.POSITIVE_INFINITY) - hungAtMs;
    await until(
      'all have left',
      () => its.every((sidecar) => leftMs(sidecar) < Number.POSITIVE_INFINITY),
      SERVED_MS,
    );
    await until(
      'all are served elsewhere',
      () => its.every((sidecar) => sidecar.ageMs < LEFT_MS && sidecar.dialledAtMs.length > 1),
      SERVED_MS,
    );
    clearTimeout(gone);
    const left = its.map(leftMs).sort((a, b) => a - b);
    const served = its.map(servedMs).sort((a, b) => a - b);
    process.stdout.write(
      `${its.length} sidecars: left after ${Math.round(left[0] ?? 0)} to ${Math.round(left.at(-1) ?? 0)} ms, served elsewhere after ${Math.round(served[Math.floor(served.length / 2)] ?? 0)} ms (median)\n`,
    );
    expect(left.at(-1)).toBeLessThan(LEFT_MS);
    // Two of three endpoints answer: more than half are served by the first one that they try.
    expect(served[Math.floor(served.length / 3)]).toBeLessThan(LEFT_MS + 1_000);
    expect(sidecars.map(({ cuts }) => cuts)).toEqual(sidecars.map(() => 0));
    expect(others.flatMap(({ moves }) => moves)).toEqual([]);
    expect(others.map(({ losses }) => losses.length)).toEqual(
      others.map((other) => lost[sidecars.indexOf(other)]),
    );

    // It comes back: nobody has to notice.
    hung.resume();
    const dials = sidecars.map(({ dialledAtMs }) => dialledAtMs.length);
    await until('it answers again', async () => (await hung.get('/readyz')).code === 200, START_MS);
    expect(sidecars.map(({ dialledAtMs }) => dialledAtMs.length)).toEqual(dials);
  },
  3 * START_MS,
);
