/** Policies and labels that change in a cluster's API, and the connections of real pods that follow. How soon is in `kubernetes_delays.test.ts`. */
import { expect, test } from 'vitest';
import { allowApps, namespace, policy } from '../builders/manifests.ts';
import { ANSWER, until } from './harness.ts';
import { batch, useShop } from './shop_cluster.ts';

const shop = useShop();

/** Waits for the change, and until connections show it. */
async function followed(change: Promise<unknown>, from: string, allowed: boolean): Promise<void> {
  await change;
  await until(
    `${from} is ${allowed ? 'let in' : 'kept out'}`,
    async () => (await shop.reaches(from)) === allowed,
  );
}

test('pods got their sidecar at admission, with the address and the audience that sidecars here use', () => {
  for (const { spec } of shop.lab.pods) {
    const { initContainers = [], volumes = [] } = spec as Record<string, { name: string }[] | undefined>;
    expect(initContainers.map(({ name }) => name)).toEqual(['sluice-sidecar']);
    expect(JSON.stringify(initContainers)).toContain('"10.0.0.9:15010"');
    expect(JSON.stringify(volumes)).toContain('"audience":"sluice.dev"');
  }
});

test('a policy that is applied, changed and deleted decides who connects', async () => {
  expect(await shop.reaches('shop/batch', ANSWER)).toBe(true);
  await followed(shop.lab.api.apply(allowApps('shop/allow', 'api', ['front'])), 'shop/batch', false);
  expect(await shop.reaches('shop/front', ANSWER)).toBe(true);
  await followed(shop.lab.api.apply(allowApps('shop/allow', 'api', ['batch'])), 'shop/batch', true);
  expect(await shop.reaches('shop/front')).toBe(false);
  await followed(shop.lab.api.delete(allowApps('shop/allow', 'api', [])), 'shop/front', true);
});

test('labels of pods and of namespaces count as they are now', async () => {
  await followed(shop.lab.api.apply(allowApps('shop/allow', 'api', ['front'])), 'shop/batch', false);
  await followed(shop.lab.api.patch(batch, { metadata: { labels: { app: 'front' } } }), 'shop/batch', true);
  await followed(shop.lab.api.patch(batch, { metadata: { labels: { app: 'batch' } } }), 'shop/batch', false);
  const fromTrusted = policy('shop/allow', {
    podSelector: { matchLabels: { app: 'api' } },
    ingress: [{ from: [{ namespaceSelector: { matchLabels: { trusted: 'yes' } } }] }],
  });
  await shop.lab.api.apply(fromTrusted);
  await followed(
    shop.lab.api.patch(namespace('shop'), { metadata: { labels: { trusted: 'yes' } } }),
    'shop/batch',
    true,
  );
  await followed(
    shop.lab.api.patch(namespace('shop'), { metadata: { labels: { trusted: null } } }),
    'shop/batch',
    false,
  );
  await shop.lab.api.delete(fromTrusted);
  await followed(Promise.resolve(), 'shop/batch', true);
});

test('the injector is killed: what was in force stays; after a restart it serves what has changed since', async () => {
  await followed(shop.lab.api.apply(allowApps('shop/allow', 'api', ['front'])), 'shop/batch', false);
  await shop.open('shop/front', 'across', 3);
  await shop.lab.killInjector();
  await shop.lab.api.apply(allowApps('shop/allow', 'api', ['front', 'batch']));
  expect(await shop.reaches('shop/batch')).toBe(false);
  expect(await shop.reaches('shop/front', ANSWER)).toBe(true);
  await shop.lab.startInjector();
  await until('batch is let in', () => shop.reaches('shop/batch'), 20_000);
  const across = await shop.lab.net.finish('shop/front', 'across');
  expect(across.every(({ state }) => state === 'ended')).toBe(true);
});

test('the API server is away: what was in force stays; back again, what changed meanwhile is heard', async () => {
  await shop.lab.api.order({ do: 'go-away' });
  await shop.lab.api.apply(allowApps('shop/allow', 'api', ['front'])); // to its storage; nobody can hear of it
  expect(await shop.reaches('shop/batch', ANSWER)).toBe(true);
  expect(await shop.reaches('shop/front', ANSWER)).toBe(true);
  await shop.lab.api.order({ do: 'come-back' });
  await until('batch is kept out', async () => !(await shop.reaches('shop/batch')), 20_000);
});

test('watches that are cut, and history that is forgotten, lose no change', async () => {
  for (const apps of [['batch'], ['front'], ['batch', 'front']]) {
    await shop.lab.api.order({ do: 'cut-watches', midLine: true });
    await shop.lab.api.apply(allowApps('shop/allow', 'api', apps));
    await shop.lab.api.order({ do: 'compact', endWatches: true });
    for (const app of ['front', 'batch'])
      await until(
        `${app} as ${apps} has it`,
        async () => (await shop.reaches(`shop/${app}`)) === apps.includes(app),
      );
  }
});

test('a pod that egress policy isolates whole still follows the injector', async () => {
  const closed = policy('shop/closed', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  await followed(shop.lab.api.apply(closed), 'shop/front', false);
  await shop.lab.killInjector();
  await shop.lab.startInjector();
  await shop.sidecarsEnforce();
  await shop.lab.api.delete(allowApps('shop/allow', 'api', []));
  await followed(shop.lab.api.delete(closed), 'shop/front', true);
});
