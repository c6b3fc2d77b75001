/** A sidecar that cannot read from the rules which ports are direct does not start, and one whose rules become others says so. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { inNetns } from '../../lab/processes/netns.ts';
import { isAlive } from '../../lab/processes/process.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { run } from './command.ts';
import { SILENCE, until, useLab } from './harness.ts';
import { breakableTool } from './tools/breakable_tool.ts';

const API = '10.1.1.10';
const MAIN = join(import.meta.dirname, '../../sidecar/main.ts');

/** Until each rule is checked some six processes are started: on a busy machine that takes its time. */
const CHECKED_MS = 60_000;

const iptables = breakableTool('iptables-nft-save');
const net = useLab({
  objects: [
    node(1),
    namespace('shop'),
    pod('shop/api', { labels: { app: 'api' }, ips: [API, 'fd00:1::10'], ports: [80] }),
    pod('shop/front', { labels: { app: 'front' }, ips: ['10.1.1.11', 'fd00:1::11'] }),
    pod('shop/batch', { labels: { app: 'batch' }, ips: ['10.1.1.12', 'fd00:1::12'] }),
    allowApps('shop/allow', 'api', ['front']),
  ],
  sidecarEnv: { SLUICE_PATH: 'auto', PATH: iptables.path },
});

const readyz = async () =>
  JSON.parse((await net.admin('shop/api', '/readyz')).body) as Record<string, unknown>;

test('it does not take rules that it cannot read for those of the proxy', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
  iptables.break();
  const started = await net.lab.startSidecar('shop/api', { redirect: false });
  await until('it has ended', async () => !isAlive(started));
  const log = readFileSync(net.lab.logFile('shop/api', 'sidecar'), 'utf8');
  expect(log).toMatch(
    /REDIRECT_\w+: the sidecar does not start, .* which ports are direct: .*iptables-nft-save is broken/,
  );
  expect(await net.connect('shop/batch', API, 80, SILENCE)).toMatchObject({ connected: false });
  iptables.mend();
  await net.lab.startSidecar('shop/api', { redirect: false });
  await net.lab.waitEnforced();
  expect(await readyz()).toMatchObject({ ready: true, path: 'direct' });
});

test('it is not ready when the rules are for another path than it began with', async () => {
  const redirect = (path: string, step: string) =>
    run(
      inNetns(net.lab.netns('shop/api'), [
        'env',
        `SLUICE_PATH=${path}`,
        process.execPath,
        MAIN,
        'redirect',
        step,
      ]),
    );
  await redirect('auto', 'remove');
  await until('that is noticed', async () => (await readyz()).ready === false);
  await redirect('proxy', 'apply');
  const problem = await until(
    'the rules are checked',
    async () => {
      const { problems } = (await readyz()) as { problems?: readonly string[] };
      return problems?.find((one) => one.includes('the path proxy now'));
    },
    CHECKED_MS,
  );
  expect(problem).toMatch(/begun with direct: restart the sidecar/);
});
