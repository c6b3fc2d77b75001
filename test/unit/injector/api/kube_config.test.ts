/** Which API server a kubeconfig names, and what is said of one that is no use. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadKubeConfig } from '../../../../injector/api/kube_config.ts';
import { temporaryDirectory } from '../../../builders/cli_manifests.ts';

test('quotes nothing of a kubeconfig that cannot be parsed: there may be a token in it', () => {
  const file = join(temporaryDirectory(), 'kubeconfig');
  writeFileSync(file, 'users:\n- name: u\n  user:\n    token: hidden: oops\n');
  expect(() => loadKubeConfig(file, {})).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: `SLUICE_KUBERNETES: ${file} is no usable kubeconfig file: bad indentation of a mapping entry (4:18)`,
    }),
  );
});
