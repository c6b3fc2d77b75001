/** Settings of the environment that a lab's injector has as well: a wrong one is found before anything is made. */
import { expect, test } from 'vitest';
import { checkSettings } from '../../../lab/pods/pod_processes.ts';

test.each(['SLUICE_LARGE_GROUP', 'SLUICE_MAX_POLICY_ENTRIES'])('%s is checked', (name) => {
  expect(() => checkSettings({ [name]: '5' })).not.toThrow();
  expect(() => checkSettings({ [name]: 'many' })).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(`${name} is 'many'`),
    }),
  );
});
