/** Whether tokens of users can be believed: what the injector finds out about the policy that keeps them true. */
import { ApiException } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { AskerPolicy, type AskerPolicyApis } from '../../../../injector/operator/asker_policy.ts';

const MADE_MS = Date.parse('2026-11-30T12:00:00Z');
const metadata = { creationTimestamp: new Date(MADE_MS) };
const REFUSAL =
  "ValidatingAdmissionPolicy 'sluice-flows-askers' with binding 'sluice-flows-askers' denied request";

const failing = (code: number, message: string) =>
  new ApiException(code, 'failed', JSON.stringify({ message }), {});

interface World {
  /** What becomes of a token that lies. */
  lie: () => unknown;
  /** What becomes of a look at the binding. */
  binding: () => unknown;
  looks: number;
}

function world(): World & { apis: AskerPolicyApis } {
  const made: World & { apis: AskerPolicyApis } = {
    lie: () => Promise.reject(failing(422, REFUSAL)),
    binding: async () => ({ metadata }),
    looks: 0,
    apis: {
      core: { createNamespacedServiceAccountToken: () => made.lie() as never },
      admission: {
        readValidatingAdmissionPolicy: async () => {
          made.looks += 1;
          return { metadata } as never;
        },
        readValidatingAdmissionPolicyBinding: () => made.binding() as never,
      },
    },
  };
  return made;
}

const policyOf = ({ apis }: { apis: AskerPolicyApis }, goodMs = 10_000) =>
  new AskerPolicy(apis, 'sluice-system', { goodMs, badMs: 0, knownMs: 30_000 });

test('tokens are believed that were made when each API server knew of the policy', async () => {
  const policy = policyOf(world());
  expect(await policy.problemOf(MADE_MS + 30_000)).toBeUndefined();
  expect(await policy.problemOf(MADE_MS + 29_000)).toContain('is new');
  expect(await policy.problemOf(MADE_MS - 1)).toContain('2026-11-30T12:00:30.000Z');
});

test('the younger of policy and binding counts', async () => {
  const at = world();
  at.binding = async () => ({ metadata: { creationTimestamp: new Date(MADE_MS + 60_000) } });
  expect(await policyOf(at).problemOf(MADE_MS + 60_000)).toContain('is new');
});

test('no token is believed where one that lies is made', async () => {
  const at = world();
  at.lie = async () => ({ status: { token: 'a lie' } });
  expect(await policyOf(at).problemOf(MADE_MS + 60_000)).toContain('does not refuse');
});

test('no token is believed without the policy, and it is found as soon as it is there', async () => {
  const at = world();
  at.binding = () => Promise.reject(failing(404, 'not found'));
  const policy = policyOf(at);
  expect(await policy.problemOf(MADE_MS + 60_000)).toContain('there is no sluice-flows-askers');
  at.binding = async () => ({ metadata });
  expect(await policy.problemOf(MADE_MS + 60_000)).toBeUndefined();
});

test.each([
  ['another policy refuses the token', failing(422, 'denied by another policy')],
  ['the injector may not ask for it', failing(403, 'forbidden')],
  ['the API server is away', new Error('connect ECONNREFUSED')],
])('nothing is said where %s', async (_, error) => {
  const at = world();
  at.lie = () => Promise.reject(error);
  const policy = policyOf(at);
  await expect(policy.problemOf(MADE_MS + 60_000)).rejects.toMatchObject({ code: 'TOKEN_UNCHECKED' });
  at.lie = () => Promise.reject(failing(422, REFUSAL));
  expect(await policy.problemOf(MADE_MS + 60_000)).toBeUndefined();
});

test('a binding without a time of its making is not believed', async () => {
  const at = world();
  at.binding = async () => ({ metadata: {} });
  expect(await policyOf(at).problemOf(MADE_MS + 60_000)).toBeDefined();
});

test('the API server is asked once for all who ask within seconds', async () => {
  const at = world();
  const policy = policyOf(at);
  await Promise.all([1, 2, 3].map(() => policy.problemOf(MADE_MS + 60_000)));
  await policy.problemOf(MADE_MS + 60_000);
  expect(at.looks).toBe(1);
});
