/** What `sluice check` finds around the pods of a cluster: nodes, other enforcers, what the user may not read. */
import { beforeEach, describe, expect, test } from 'vitest';
import { pod } from '../../../builders/admitted_pods.ts';
import type { ApiServer } from '../../../support/api_server/api_server.ts';
import { liveCluster } from '../support/live_cluster.ts';
import { runSluice } from '../support/sluice_process.ts';

let api: ApiServer;
let kubeconfig = '';
/** What the user may not do, such as `list nodes`. */
let refused: readonly string[] = [];

beforeEach(async () => {
  refused = [];
  ({ api, kubeconfig } = await liveCluster({
    authorize: (_, verb, { resource, namespace: where }) =>
      !refused.includes(where === undefined ? `${verb} ${resource.plural}` : ''),
  }));
  const labels = { 'sluice.dev/inject': 'enabled' };
  await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } });
});

const check = (...args: string[]) => runSluice(['check', '--kubeconfig', kubeconfig, ...args]);

const daemonSet = (namespace: string, name: string, image: string) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { namespace, name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'agent', image }] } },
  },
});

const node = async (name: string, nodeInfo: object) => {
  const object = { apiVersion: 'v1', kind: 'Node', metadata: { name } };
  await api.create(object);
  await api.apply({
    ...object,
    status: { nodeInfo: { operatingSystem: 'linux', architecture: 'amd64', ...nodeInfo } },
  });
};

/** @param owner kind and name of its controller */
const ownedPod = (name: string, [kind, ownerName]: readonly [string, string], hash?: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  ...pod(),
  metadata: {
    namespace: 'shop',
    name,
    ...(hash === undefined ? {} : { labels: { 'pod-template-hash': hash } }),
    ownerReferences: [{ apiVersion: 'apps/v1', kind, name: ownerName, uid: 'u', controller: true }],
  },
});

/** A pod of the Deployment web whose sidecar ended with a message. */
const refusedPod = async (name: string, nodeName: string, said: string) => {
  const failing = ownedPod(name, ['ReplicaSet', 'web-7d9f'], '7d9f');
  const object = { ...failing, spec: { ...failing.spec, nodeName } };
  await api.create(object);
  const ended = { terminated: { exitCode: 1, message: `sluice-sidecar: ${said}` } };
  await api.apply({
    ...object,
    status: {
      phase: 'Pending',
      initContainerStatuses: [
        { name: 'sluice-sidecar', image: '', imageID: '', ready: false, restartCount: 1, lastState: ended },
      ],
    },
  });
};

describe('sluice check, of what is around the pods', () => {
  test('says the same of several pods of a workload once, with the command to paste', async () => {
    for (const name of ['a', 'b', 'c', 'd'])
      await api.create(ownedPod(`web-7d9f-${name}`, ['ReplicaSet', 'web-7d9f'], '7d9f'));
    await api.create(ownedPod('db-0', ['StatefulSet', 'db']));
    await api.create(ownedPod('backup-28901234-x', ['Job', 'backup-28901234']));

    const { stdout } = await check('--context', 'double');
    expect(stdout).toMatch(
      /^error +CK304 {2}deployment shop\/web \(4 pods: web-7d9f-a, web-7d9f-b, web-7d9f-c, web-7d9f-d\): has no sidecar/m,
    );
    const flags = ` --context double --kubeconfig ${kubeconfig}`;
    expect(stdout).toContain(`run  kubectl${flags} rollout restart deployment/web -n shop\n`);
    expect(stdout).toContain(`run  kubectl${flags} rollout restart statefulset/db -n shop\n`);
    expect(stdout).toMatch(
      /^error +CK304 {2}cronjob shop\/backup \(pod backup-28901234-x\): has no sidecar/m,
    );
    expect(stdout.match(/has no sidecar/g)).toHaveLength(3);
  });

  test('names the pods of a workload for programs', async () => {
    for (const name of ['a', 'b', 'c', 'd'])
      await api.create(ownedPod(`web-7d9f-${name}`, ['ReplicaSet', 'web-7d9f'], '7d9f'));
    const json = JSON.parse((await check('-o', 'json')).stdout) as { findings: readonly object[] };
    expect(json.findings).toContainEqual(
      expect.objectContaining({
        code: 'CK304',
        subject: 'deployment shop/web',
        pods: ['web-7d9f-a', 'web-7d9f-b', 'web-7d9f-c', 'web-7d9f-d'],
      }),
    );
  });

  test('names other programs that enforce policy', async () => {
    await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } });
    await api.create(daemonSet('kube-system', 'calico-node', 'docker.io/calico/node:v3.30'));
    await api.create(
      daemonSet('kube-system', 'aws-node', 'x.amazonaws.com/amazon/aws-network-policy-agent:v1'),
    );
    await api.create(daemonSet('kube-system', 'kube-proxy', 'registry.k8s.io/kube-proxy:v1.36'));
    await node('edge', { kernelVersion: '6.1.0', kubeletVersion: 'v1.36.0+k3s1' });

    const { stdout } = await check();
    expect(stdout.match(/^warning +CK101 {2}.* enforces NetworkPolicy too/gm)).toEqual([
      expect.stringContaining("daemonset kube-system/aws-node: Amazon's network policy agent"),
      expect.stringContaining('daemonset kube-system/calico-node: Calico'),
      expect.stringContaining('cluster: k3s'),
    ]);
  });

  test('names nodes that cannot run a sidecar, and those whose kernel has refused one', async () => {
    await node('old-1', { kernelVersion: '4.18.0-553.el8' });
    await node('old-2', { kernelVersion: '4.18.0-553.el8' });
    await node('fine', { kernelVersion: '5.3.0' });
    await node('win', { operatingSystem: 'windows', kernelVersion: '10.0.20348' });
    await node('power', { architecture: 'ppc64le', kernelVersion: '6.1.0' });
    await refusedPod('web-7d9f-a', 'bare', 'REDIRECT_KERNEL_UNSUPPORTED: the kernel needs xt_TPROXY');

    const { stdout } = await check();
    expect(stdout).toMatch(
      /^error +CK102 {2}nodes old-1, old-2: run Linux 4\.18\.0-553\.el8: the gate needs 5\.3/m,
    );
    expect(stdout).toMatch(/^error +CK102 {2}node win: run windows/m);
    expect(stdout).toMatch(/^error +CK102 {2}node power: are ppc64le/m);
    expect(stdout).toMatch(
      /^error +CK103 {2}node bare: its kernel refused the sidecar of shop\/web-7d9f-a: .*needs xt_TPROXY$/m,
    );
    expect(stdout).not.toContain('fine');
  });

  test('only warns of a node whose kernel cannot do the direct path that a pod asks for', async () => {
    await refusedPod(
      'web-7d9f-a',
      'bare',
      'PATH_UNSUPPORTED: SLUICE_PATH asks for the direct path, and it cannot',
    );
    expect((await check()).stdout).toMatch(
      /^warning +CK103 {2}node bare: its kernel refused the sidecar of shop\/web-7d9f-a: .*PATH_UNSUPPORTED: .* it cannot$/m,
    );
  });

  test('looks at one namespace with the rights to read that one, and says what it did not look at', async () => {
    await api.create(ownedPod('db-0', ['StatefulSet', 'db']));
    refused = ['list nodes', 'list namespaces', 'list daemonsets', 'get mutatingwebhookconfigurations'];

    const { code, stdout } = await check('-n', 'shop');
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /CK304 {2}statefulset shop\/db \(pod db-0\): has no sidecar: it was created before/,
    );
    expect(stdout).not.toContain('CK001');
    expect((await check()).stderr).toMatch(/may not list namespaces\n {2}check: .*\n {2}grant: /);
    for (const what of ['whether Sluice is installed', 'nodes', 'other programs that enforce policy'])
      expect(stdout).toMatch(new RegExp(`^not looked at: ${what}: the user of context double may not `, 'm'));
  });

  test('asks for every list in pages', async () => {
    for (let at = 0; at < 501; at += 1)
      await node(`node-${at}`, { kernelVersion: at < 500 ? '6.1.0' : '4.18.0' });
    const { stdout } = await check();
    expect(stdout).toMatch(/^error +CK102 {2}node node-500: run Linux 4\.18\.0/m);
    const whole = api.requests.filter(({ query }) => query.limit === undefined).map(({ path }) => path);
    expect(
      whole.filter((path) => /\/(nodes|namespaces|pods|\w*(services|policies|sets|bindings))$/.test(path)),
    ).toEqual([]);
    expect(api.requests.filter(({ path }) => path === '/api/v1/nodes')).toHaveLength(2);
  });

  test('says which namespaces are like one that is not there', async () => {
    const { code, stdout } = await check('-n', 'shpo');
    expect([code, stdout]).toEqual([
      1,
      expect.stringContaining('namespace shpo: is not there; did you mean shop?'),
    ]);
  });
});
