/**
 * Case 23. Given opt-out annotations, excluded ports, the proxy's UID, NET_ADMIN, the host network or a relabelled namespace,
 * when the pod is created, then it is refused unless an admin allowed it, and audited.
 *
 * Two of them are no way out, so nothing has to refuse them: no rule looks at a UID, and only who may change namespaces, who
 * also gives the permissions, can relabel one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SIDECAR_CONTAINER } from '../../common/contract.ts';
import { answerReview, parseReview } from '../../injector/admission/webhook/review.ts';
import { config, pod, type TestPod } from '../builders/admitted_pods.ts';
import { RunningWebhook } from '../unit/injector/admission/running_webhook.ts';

let webhook: RunningWebhook;

beforeAll(async () => {
  webhook = new RunningWebhook();
  await webhook.start();
  await webhook.namespace('strict');
  for (const permission of ['allow-opt-out', 'allow-excluded-ports', 'allow-privileged'])
    await webhook.namespace(permission, { [`sluice.dev/${permission}`]: 'true' });
  await webhook.namespace('almost', {
    'sluice.dev/allow-privileged': 'True',
    'sluice.dev/allow-opt-out': 'yes',
  });
});
afterAll(() => webhook.close());

/** A container of the pod under test, with these rights. */
const rights = (securityContext: object) => ({ containers: [{ name: 'app', securityContext }] });

const ADMIN = 'allow-privileged';

/** What is wanted, the permission that it needs, and the pod. */
const WAYS_OUT: readonly (readonly [string, string, TestPod])[] = [
  ['to be left out', 'allow-opt-out', pod({}, { 'sluice.dev/inject': 'disabled' })],
  ['ports that bypass the proxy', 'allow-excluded-ports', pod({}, { 'sluice.dev/excluded-ports': '9090' })],
  ['NET_ADMIN', ADMIN, pod(rights({ capabilities: { add: ['NET_ADMIN'] } }))],
  [
    'NET_ADMIN in an init container',
    ADMIN,
    pod({ initContainers: [{ name: 'i', securityContext: { capabilities: { add: ['net_admin'] } } }] }),
  ],
  [
    'NET_RAW, with which the mark of the proxy can be set',
    ADMIN,
    pod(rights({ capabilities: { add: ['CAP_NET_RAW'] } })),
  ],
  ['to be privileged', ADMIN, pod(rights({ privileged: true }))],
  ["to see the sidecar's process", ADMIN, pod({ shareProcessNamespace: true })],
  ["to see the node's processes", ADMIN, pod({ hostPID: true })],
  ['the host network', ADMIN, pod({ hostNetwork: true })],
];

const PERMISSIONS = ['allow-opt-out', 'allow-excluded-ports', ADMIN];

/** The line that the injector logs about a pod. */
const logged = (namespace: string) => webhook.lines.findLast((line) => line.namespace === namespace);

test.each(WAYS_OUT)(
  'a pod that wants %s is refused, but where an admin has allowed just that (%s)',
  async (_, needs, wanted) => {
    const others = PERMISSIONS.filter((permission) => permission !== needs);
    for (const namespace of ['strict', 'almost', ...others]) {
      await expect(webhook.create(namespace, wanted)).rejects.toThrow(new RegExp(`sluice.dev/${needs}=true`));
      expect(logged(namespace)).toMatchObject({ level: 'warn', outcome: 'refused', msg: 'pod not injected' });
    }
    const created = await webhook.create(needs, wanted);
    const ours = created.spec.initContainers?.slice(0, 1).map(({ name }) => name) ?? [];
    const outcome = logged(needs)?.outcome;
    if (needs === 'allow-opt-out') expect([ours, outcome]).toEqual([[], 'opted-out']);
    else if (wanted.spec.hostNetwork === true) expect([ours, outcome]).toEqual([[], 'skipped']);
    else expect([ours, outcome]).toEqual([[SIDECAR_CONTAINER], 'injected']);
  },
);

test("what was decided is in the API server's audit log, and a pod that is left out is warned of", () => {
  const answer = (object: TestPod, namespace: Readonly<Record<string, string>>) => {
    const resource = { group: '', version: 'v1', resource: 'pods' };
    const request = { uid: 'u1', operation: 'CREATE', namespace: 'shop', resource, object };
    const parsed = parseReview({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request });
    if (!parsed.ok) throw new Error('no review');
    return answerReview(parsed.object, namespace, config()).review.response;
  };
  const leftOut = pod({}, { 'sluice.dev/inject': 'disabled' });
  expect(answer(leftOut, { 'sluice.dev/allow-opt-out': 'true' })).toMatchObject({
    allowed: true,
    auditAnnotations: { outcome: 'opted-out', reason: 'annotation sluice.dev/inject=disabled' },
    warnings: [expect.stringContaining('does not enforce this pod')],
  });
  expect(answer(pod(), {})).toMatchObject({ allowed: true, auditAnnotations: { outcome: 'injected' } });
});

test('the UID of the proxy opens nothing: an app that runs as root is injected, and no rule looks at a UID', async () => {
  const { spec } = await webhook.create('strict', pod(rights({ runAsUser: 0, runAsGroup: 0 })));
  expect(spec.initContainers?.map(({ name }) => name)).toEqual([SIDECAR_CONTAINER]);
  for (const file of ['sidecar/redirect/rules.ts', 'sidecar/gate/kernel/ruleset.ts'])
    expect(readFileSync(join(import.meta.dirname, '../..', file), 'utf8')).not.toMatch(
      /skuid|uid-owner|gid-owner/,
    );
});

test('a permission of a namespace that is taken back holds no longer, also under another label', async () => {
  await webhook.namespace('former', { 'sluice.dev/allow-privileged': 'true' });
  const mighty = pod(rights({ privileged: true }));
  await webhook.create('former', mighty);
  await webhook.forbid('former');
  await expect(webhook.create('former', mighty)).rejects.toThrow(/privileged/);
});
