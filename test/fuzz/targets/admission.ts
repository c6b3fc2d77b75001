/**
 * Reviews of pods, odd and broken, to the webhook's answer: never a crash, always a well-formed answer for the request, and
 * what is admitted into an enabled namespace is enforced or left out by permission.
 */

import { answerReview, parseReview } from '../../../injector/admission/webhook/review.ts';
import { config as installation } from '../../builders/admitted_pods.ts';
import { unenforced } from '../enforced_pod.ts';
import { mutated } from '../mutation.ts';
import { oddPod, REVIEW_ODDITIES } from '../odd_pod.ts';
import type { Random } from '../random.ts';
import { type Counts, Finding, type FuzzTarget } from '../target.ts';

/** A review takes some 50 µs; one that takes this long lets others wait, ms. A busy machine needs some room. */
const SLOW_MS = 1_000;

const config = installation();

/** The fuzzer. */
export const admissionTarget: FuzzTarget = {
  name: 'admission',
  about: 'reviews of pods: a well-formed answer, and what is admitted is enforced',
  open: () => ({ tryCase }),
};

interface Answer {
  readonly uid: unknown;
  readonly allowed: unknown;
  readonly patch?: string;
  readonly patchType?: unknown;
  readonly status?: { readonly code?: unknown; readonly message?: unknown };
}

function tryCase(random: Random, counts: Counts): void {
  let review: unknown = reviewOf(oddPod(random));
  const mutations = random.chance(25) ? 0 : random.below(4);
  for (let mutation = 0; mutation < mutations; mutation += 1)
    review = mutated(random, review, REVIEW_ODDITIES);
  const text = JSON.stringify(review);
  const namespace = permissionsOf(random);
  counts.inputs += 1;
  const startMs = performance.now();
  try {
    const problem = tryReview(JSON.parse(text), namespace, counts);
    if (problem !== undefined) throw new Finding(problem, { namespace, review });
  } catch (error) {
    throw error instanceof Finding
      ? error
      : new Finding(`threw ${(error as Error).stack}`, { namespace, review });
  }
  const tookMs = performance.now() - startMs;
  if (tookMs > SLOW_MS) throw new Finding(`took ${Math.round(tookMs)} ms`, { namespace, review });
}

function reviewOf(object: unknown): unknown {
  const resource = { group: '', version: 'v1', resource: 'pods' };
  const request = { uid: 'u1', operation: 'CREATE', namespace: 'shop', resource, object };
  return { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request };
}

/** Annotations of the namespace. Only the value `true` is a permission. */
function permissionsOf(random: Random): Record<string, string> {
  const named = ['allow-privileged', 'allow-opt-out', 'allow-excluded-ports'].filter(() => random.chance(15));
  const allowed = named.map((name) => [`sluice.dev/${name}`, random.pick(['true', 'true', 'True', '1'])]);
  const path = random.chance(30)
    ? { 'sluice.dev/path': random.pick(['auto', '80=proxy', '80=proxy', 'fast']) }
    : {};
  return { ...Object.fromEntries(allowed), ...path };
}

function tryReview(value: unknown, namespace: Record<string, string>, counts: Counts): string | undefined {
  const parsed = parseReview(value);
  if (!parsed.ok) {
    counts.add('no review');
    return undefined;
  }
  const { outcome, review } = answerReview(parsed.object, namespace, config);
  counts.add(outcome);
  const response = (review as { response: Answer }).response;
  if (response.uid !== parsed.object.uid || typeof response.allowed !== 'boolean')
    return 'the answer is not for the request';
  JSON.stringify(review);
  if (!response.allowed) {
    if (response.patch !== undefined) return 'refused with a patch';
    return typeof response.status?.message === 'string' ? undefined : 'refused without a word';
  }
  const object = parsed.object.object;
  const apart = unenforced(object, response.patch, outcome, namespace, config.image);
  if (apart !== undefined) return apart.problem;
  return undefined;
}
