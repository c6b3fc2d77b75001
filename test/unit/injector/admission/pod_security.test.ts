/** Enabling Sluice takes Pod Security off a namespace: injection holds its pods to a level instead. */
import { describe, expect, test } from 'vitest';
import { parseAdmittedPod } from '../../../../injector/admission/pod/pod_object.ts';
import {
  podSecurityFaults,
  podSecurityLevel,
} from '../../../../injector/admission/privileges/pod_security.ts';
import { answerReview, parseReview } from '../../../../injector/admission/webhook/review.ts';
import { config, injected, pod, type TestPod } from '../../../builders/admitted_pods.ts';
import {
  BEYOND_BASELINE,
  BEYOND_RESTRICTED,
  TIDY_PODS,
} from '../../../support/kubernetes/pod_security_cases.ts';

const faults = (object: unknown, level: 'baseline' | 'restricted') => {
  const parsed = parseAdmittedPod({ kind: 'Pod', apiVersion: 'v1', ...(object as object) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return podSecurityFaults(parsed.object, level).map(({ subject, what }) => `${subject} ${what}`);
};

test.each(BEYOND_BASELINE)('baseline and restricted refuse $what', ({ spec, annotations, said }) => {
  expect(faults(pod(spec, annotations), 'baseline')).toEqual([expect.stringMatching(said)]);
  expect(faults(pod(spec, annotations), 'restricted')).toContainEqual(expect.stringMatching(said));
});

test.each(BEYOND_RESTRICTED)('baseline takes, restricted refuses $what', ({ spec, said }) => {
  expect(faults(pod(spec), 'baseline')).toEqual([]);
  expect(faults(pod(spec), 'restricted')).toContainEqual(expect.stringMatching(said));
});

test.each(TIDY_PODS)('every level takes $what', ({ spec, annotations }) => {
  expect(faults(pod(spec, annotations), 'restricted')).toEqual([]);
});

test('what is null instead of an object is nothing but defaults', () => {
  const nothing = { securityContext: null, containers: [null], initContainers: [null], volumes: [null] };
  expect(faults(pod(nothing), 'baseline')).toEqual([]);
  expect(faults(pod(nothing), 'restricted')).toHaveLength(2 * 4); // of each container what it lacks
});

test.each([
  [{}, 'baseline'],
  [{ 'sluice.dev/pod-security': 'baseline' }, 'baseline'],
  [{ 'sluice.dev/pod-security': 'restricted' }, 'restricted'],
  [{ 'sluice.dev/pod-security': 'privileged' }, 'restricted'],
])('the label %j of a namespace means %s', (labels, level) => {
  expect(podSecurityLevel(labels)).toBe(level);
});

describe('the answer to a review', () => {
  const answer = (
    object: TestPod,
    namespace: Readonly<Record<string, string>>,
    level?: 'baseline' | 'restricted',
  ) => {
    const resource = { group: '', version: 'v1', resource: 'pods' };
    const request = { uid: 'u1', operation: 'CREATE', namespace: 'shop', resource, object };
    const parsed = parseReview({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request });
    if (!parsed.ok) throw new Error('no review');
    return answerReview(parsed.object, namespace, config(), level).review.response;
  };
  const hostPath = pod({ volumes: [{ name: 'v', hostPath: { path: '/' } }] });
  const allowing = { 'sluice.dev/allow-privileged': 'true', 'sluice.dev/allow-opt-out': 'true' };

  test('refuses what the level does not allow, of pods that are left out too', () => {
    const leftOut = { ...hostPath, metadata: { annotations: { 'sluice.dev/inject': 'disabled' } } };
    for (const object of [hostPath, leftOut])
      expect(answer(object, { 'sluice.dev/allow-opt-out': 'true' })).toMatchObject({
        allowed: false,
        status: { message: expect.stringMatching(/hostPath volume v.*sluice.dev\/allow-privileged=true/) },
      });
    expect(answer(pod(), {}, 'restricted')).toMatchObject({ allowed: false });
  });

  test('lets it by where the namespace allows it, and has the audit log say so', () => {
    expect(answer(hostPath, allowing)).toMatchObject({
      allowed: true,
      auditAnnotations: { outcome: 'injected', 'allowed-privileges': '1: pod has the hostPath volume v' },
    });
    expect(answer(pod(), allowing)).not.toHaveProperty(['auditAnnotations', 'allowed-privileges']);
  });

  test('takes a pod of the strictest level that is injected already', () => {
    const [tidy] = TIDY_PODS;
    expect(answer(injected(pod(tidy?.spec)), {}, 'restricted')).toMatchObject({ allowed: true });
  });
});
