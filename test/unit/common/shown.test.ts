import { expect, test } from 'vitest';
import { readOptions } from '../../../common/options.ts';
import { parsePath } from '../../../common/path.ts';
import { shown } from '../../../common/shown.ts';
import { pod, reasons } from '../../builders/admitted_pods.ts';

const LONG = 'a'.repeat(100_000);

test('a wrong value is shown as it is, or its beginning and its length', () => {
  expect(shown('fast')).toBe('fast');
  expect(shown(LONG)).toBe(`${'a'.repeat(200)}… (100000 characters)`);
});

test.each(['path', 'deny', 'node-traffic', 'inject', 'excluded-ports', 'cpu-limit'])(
  'a long value of the annotation %s makes no long refusal',
  (name) => {
    const [reason] = reasons(pod({}, { [`sluice.dev/${name}`]: LONG }));
    expect(reason).toContain(`sluice.dev/${name} is 'aaa`);
    expect(reason?.length).toBeLessThan(1_000);
  },
);

test('nor does one of a setting', () => {
  const spec = { env: 'X', flag: 'x', description: '' } as const;
  for (const kind of [
    { type: 'integer', min: 1, max: 2 },
    { type: 'choice', choices: ['b'] },
  ] as const)
    expect(() => readOptions([{ ...spec, kind }], [], { X: LONG })).toThrow(
      /^X is 'a{200}… \(100000 characters\)'/,
    );
  expect(String(parsePath(LONG)).length).toBeLessThan(1_000);
});
