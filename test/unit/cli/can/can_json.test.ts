import { expect, test } from 'vitest';
import { deployment, shop } from '../../../builders/cli_manifests.ts';
import { runSluice } from '../support/sluice_process.ts';

test('-o json of a denied flow has the question, the verdict and the reasons', async () => {
  const { code, stdout } = await runSluice([
    'can',
    'shop/batch',
    'shop/api',
    '8080',
    '-f',
    shop(),
    '-o',
    'json',
  ]);
  const { near: _, ...rest } = JSON.parse(stdout) as { readonly near: unknown };
  expect(rest).toEqual({
    schema: 'sluice.dev/can/v1',
    from: 'shop/batch',
    to: 'shop/api',
    port: 8080,
    protocol: 'TCP',
    verdict: 'deny',
    egress: { verdict: 'allow', reason: 'not-isolated', isolating: [] },
    ingress: {
      verdict: 'deny',
      reason: 'no-rule',
      isolating: ['shop/api-allow', 'shop/default-deny'],
      near_miss: {
        policy: 'shop/api-allow',
        rule: 0,
        failed: 'pod',
        wanted: 'label role=frontend',
        got: 'role=front',
      },
    },
    source: { pod: 'shop/batch', workload: 'pod/batch', addresses: ['10.1.0.12'] },
    destination: { pod: 'shop/api', workload: 'pod/api', addresses: ['10.1.0.10', 'fd00::10'] },
  });
  expect(code).toBe(1);
});

test('-o json of an allowed flow names the rule that admits it', async () => {
  const { code, stdout } = await runSluice([
    'can',
    '10.1.0.11',
    'shop/api',
    'http',
    '-f',
    shop(),
    '-o',
    'json',
  ]);
  expect(JSON.parse(stdout)).toMatchObject({
    from: '10.1.0.11',
    port: 8080,
    verdict: 'allow',
    ingress: {
      verdict: 'allow',
      reason: 'rule',
      policy: 'shop/api-allow',
      rule: 0,
      isolating: ['shop/api-allow', 'shop/default-deny'],
    },
    source: { pod: 'shop/web', workload: 'deploy/web', addresses: ['10.1.0.11'] },
  });
  expect(code).toBe(0);
});

test('-o json tells an external address and a pod made from a template', async () => {
  const dir = shop(deployment('shop/cart', { app: 'cart' }));
  const args = ['can', '2001:DB8::7', 'deploy/cart', '80', '-n', 'shop', '-f', dir, '-o', 'json'];
  const { stdout } = await runSluice(args);
  expect(JSON.parse(stdout)).toMatchObject({
    source: { addresses: ['2001:db8::7'] },
    destination: { pod: 'shop/cart-template', workload: 'deploy/cart', from_template: true, addresses: [] },
  });
});
