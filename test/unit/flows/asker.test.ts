/** A user as the audiences of a token, and back. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { askerAudiences, askerOf } from '../../../flows/index.ts';

const names = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom('a', ':', '=', ' ', '/', 'é') });
const keys = names.filter((key) => !key.includes('='));
const askers = fc.record({
  username: names,
  groups: fc.array(names, { maxLength: 4 }),
  extra: fc.dictionary(keys, fc.array(names, { minLength: 1, maxLength: 3 }), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
});

test('whoever asks is read back as he is, whatever the names are', () => {
  fc.assert(
    fc.property(askers, fc.option(names, { nil: undefined }), (asker, uid) => {
      const whole = { ...asker, ...(uid === undefined ? {} : { uid }) };
      expect(askerOf(askerAudiences(whole))).toEqual(whole);
    }),
  );
});

test.each([
  ['no audience of flows', ['user:alice']],
  ['no name', ['sluice.dev/flows', 'group:a']],
  ['an empty name', ['sluice.dev/flows', 'user:']],
  ['two names', ['sluice.dev/flows', 'user:alice', 'user:bob']],
  ['two UIDs', ['sluice.dev/flows', 'user:alice', 'uid:1', 'uid:2']],
  ['another audience', ['sluice.dev/flows', 'user:alice', 'https://kubernetes.default.svc']],
  ['an extra without a value', ['sluice.dev/flows', 'user:alice', 'extra:scopes']],
])('%s: nobody', (_, audiences) => {
  expect(askerOf(audiences)).toBeUndefined();
});
