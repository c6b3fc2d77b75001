/**
 * A native sidecar that starts again, and cannot read which ports are direct, does not decide it again: it does not start. Else rules for
 * the proxy could come while direct connections live on, which nobody would end then.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isAlive } from '../../lab/processes/process.ts';
import { allowApps, namespace, node, pod } from '../builders/manifests.ts';
import { SILENCE, until, useLab } from './harness.ts';
import { breakableTool } from './tools/breakable_tool.ts';

const API = '10.1.1.10';

/** The machine may be busy with others. */
const PATIENCE_MS = 60_000;

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
  sidecarEnv: { SLUICE_PATH: 'auto', SLUICE_REDIRECT: 'run', PATH: iptables.path },
});

test('it does not decide again which ports are direct', async () => {
  await net.lab.stopProcess('shop/api', 'sidecar', 'SIGKILL');
  iptables.break();
  const started = await net.lab.startSidecar('shop/api', { redirect: false });
  await until('it has ended', async () => !isAlive(started), PATIENCE_MS);
  const log = readFileSync(net.lab.logFile('shop/api', 'sidecar'), 'utf8');
  expect(log).toMatch(
    /REDIRECT_\w+: the sidecar does not start, .* which ports are direct: .*iptables-nft-save.* is broken/,
  );
  expect(await net.connect('shop/batch', API, 80, SILENCE)).toMatchObject({ connected: false });
  iptables.mend();
  await net.lab.startSidecar('shop/api', { redirect: false });
  await net.lab.waitEnforced();
  const readyz = JSON.parse((await net.admin('shop/api', '/readyz')).body) as Record<string, unknown>;
  expect(readyz).toMatchObject({ ready: true, path: 'direct' });
});
