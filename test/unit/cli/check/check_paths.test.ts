/** `sluice check` of a cluster: on which nodes pods with the path `auto` came to the proxy, as their sidecars have logged it. */
import { beforeEach, describe, expect, test } from 'vitest';
import { pod } from '../../../builders/admitted_pods.ts';
import type { ApiServer } from '../../../support/api_server/api_server.ts';
import { liveCluster } from '../support/live_cluster.ts';
import { runSluice } from '../support/sluice_process.ts';

let api: ApiServer;
let kubeconfig = '';
let mayReadLogs = true;

beforeEach(async () => {
  mayReadLogs = true;
  ({ api, kubeconfig } = await liveCluster({
    authorize: (_, _verb, { subresource }) => mayReadLogs || subresource !== 'log',
  }));
  const labels = { 'sluice.dev/inject': 'enabled' };
  await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } });
});

const check = async () => (await runSluice(['check', '--kubeconfig', kubeconfig, '-n', 'shop'])).stdout;

const LACKING = 'the kernel does not destroy sockets (INET_DIAG_DESTROY): EOPNOTSUPP';

/** The log of a sidecar. */
const logOf = (fields: object) =>
  [{ msg: 'configuration' }, { msg: 'path of connections', ...fields }]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');
const FELL_BACK = logOf({ path: 'proxy', reason: 'fell-back', problem: LACKING });
const PROBED = logOf({ path: 'direct', reason: 'probed' });

interface Running {
  readonly path?: string;
  readonly started?: string;
  readonly ready?: boolean;
  readonly log?: string;
}

/** An injected pod that runs on a node. */
async function runs(name: string, nodeName: string, running: Running): Promise<void> {
  const { path = 'auto', started = '2026-01-01T00:00:00Z', ready = true, log } = running;
  const env = [{ name: 'SLUICE_PATH', value: path }];
  const sidecar = { name: 'sluice-sidecar', image: 'sluice', restartPolicy: 'Always', env };
  const object = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name },
    spec: { ...pod().spec, nodeName, initContainers: [sidecar] },
  };
  await api.create(object);
  const state = { running: { startedAt: started } };
  await api.apply({
    ...object,
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
      initContainerStatuses: [
        { name: 'sluice-sidecar', image: '', imageID: '', ready: true, restartCount: 0, state },
      ],
    },
  });
  if (log !== undefined) api.logs.set(`shop/${name}/sluice-sidecar`, log);
}

const logsAsked = () => api.requests.map(({ path }) => path).filter((path) => path.endsWith('/log'));

describe('sluice check, of nodes where auto came to the proxy', () => {
  test('names them, with what their kernels lack and the log that says it', async () => {
    await runs('a', 'old-1', { log: FELL_BACK });
    await runs('b', 'old-2', { path: 'direct,9090=auto', log: FELL_BACK });
    await runs('c', 'new-1', { log: PROBED });
    const stdout = await check();
    expect(stdout).toContain(
      `warning  CK107  nodes old-1, old-2: pods with sluice.dev/path=auto take the proxy there, and those with direct do not start: ${LACKING}\n`,
    );
    expect(stdout).toContain(`logs a -n shop -c sluice-sidecar\n`);
    expect(stdout).not.toContain('new-1');
  });

  test('asks the sidecar of a node that started last, and none of a pod that is not ready or has another path', async () => {
    await runs('before', 'node', { log: FELL_BACK });
    await runs('now', 'node', { started: '2026-01-02T00:00:00Z', log: PROBED });
    await runs('away', 'dead', { ready: false, log: FELL_BACK });
    await runs('plain', 'other', { path: 'direct', log: FELL_BACK });
    expect(await check()).not.toContain('CK107');
    expect(logsAsked()).toEqual(['/api/v1/namespaces/shop/pods/now/log']);
  });

  test('takes no reason that is not a text', async () => {
    await runs('forged', 'old-1', {
      log: logOf({ path: 'proxy', reason: 'fell-back', problem: { toString: 0 } }),
    });
    expect(await check()).toContain('its sidecar does not say why');
  });

  test('says of which nodes it is not known: the log was rotated, or cannot be read', async () => {
    await runs('busy', 'busy', {
      log: `${JSON.stringify({ msg: 'flow' })}\n{"msg":"path of connections","rea`,
    });
    await runs('gone', 'gone', {});
    expect(await check()).toMatch(
      /^not looked at: which path sluice\.dev\/path=auto comes to on busy, gone: no log of a sidecar there has it/m,
    );
  });

  test('says that the right to read logs is missing', async () => {
    mayReadLogs = false;
    await runs('a', 'old-1', { log: FELL_BACK });
    expect(await check()).toMatch(
      /^not looked at: which path sluice\.dev\/path=auto comes to on nodes: .* may not get pods\/log$/m,
    );
  });
});
