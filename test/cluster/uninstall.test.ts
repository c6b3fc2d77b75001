/** Installing by kustomize and by Helm, and uninstalling as docs/kubernetes.md has it: nothing is left. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { CoreV1Api, NetworkingV1Api } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../manifests/render.ts';
import { settled, TestCluster } from '../support/kubernetes/test_cluster.ts';
import { InjectorProcess } from '../unit/injector/kubernetes/injector_process.ts';
import { realCluster } from './access.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 300_000; // a namespace takes its time to go

/** Removes either installation, or none. */
const LEFT = `helm uninstall sluice --namespace sluice-system --ignore-not-found --wait
kubectl delete -k manifests/overlays/default --ignore-not-found`;

let cluster: TestCluster;
let folder: string;
let kubeconfig: string;

beforeAll(async () => {
  cluster = new TestCluster(await realCluster());
  folder = mkdtempSync(join(tmpdir(), 'sluice-uninstall-'));
  kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, cluster.config.exportConfig(), { mode: 0o600 });
});

afterAll(async () => {
  // What a test has left that failed carries no label of the tests, and fails those that come after.
  await shell(LEFT).catch((error: Error) => console.warn(error.message));
  rmSync(folder, { recursive: true, force: true });
  await cluster.close();
}, TIMEOUT_MS);

/** Runs a script with the pinned tools, in the project's folder. */
async function shell(script: string): Promise<string> {
  const env = {
    PATH: [join(ROOT, '.tools/bin'), process.env.PATH].join(delimiter),
    HOME: folder,
    KUBECONFIG: kubeconfig,
  };
  const { stdout } = await run('sh', ['-euc', script], { cwd: ROOT, env, maxBuffer: 2 ** 26 });
  return stdout;
}

/** The commands of docs/kubernetes.md on uninstalling, a block each. */
function documented(): readonly string[] {
  const page = readFileSync(join(ROOT, 'docs/kubernetes.md'), 'utf8');
  const [, section = ''] = /^## Uninstall\n([\s\S]*?)^## /m.exec(page) ?? [];
  const blocks = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  expect(blocks).toHaveLength(4);
  return blocks;
}

/** Every object of the cluster that has to do with Sluice. */
async function traces(): Promise<readonly string[]> {
  const resources = (await shell('kubectl api-resources --verbs=list -o name')).trim().split('\n');
  const lasting = resources.filter((name) => !/^(events|componentstatuses)\b|metrics\.k8s\.io/.test(name));
  const columns = 'KIND:.kind,NS:.metadata.namespace,NAME:.metadata.name';
  const text = await shell(`kubectl get ${lasting.join(',')} -A --no-headers -o custom-columns=${columns}`);
  return text.split('\n').filter((line) => line.replaceAll('sluice-test', '').includes('sluice'));
}

/** Has the injector do what it does: certificates, Lease, CA, status. */
async function inject(namespace: string): Promise<void> {
  const network = cluster.config.makeApiClient(NetworkingV1Api);
  const core = cluster.config.makeApiClient(CoreV1Api);
  const body = { metadata: { name: 'p' }, spec: { podSelector: {}, policyTypes: ['Ingress'] } };
  await network.createNamespacedNetworkPolicy({ namespace, body });
  const { status } = await core.createNamespacedServiceAccountToken({
    namespace: 'sluice-system',
    name: 'sluice-injector',
    body: { spec: { audiences: [] } },
  });
  const { server, caData } = cluster.config.getCurrentCluster() ?? {};
  const injector = await InjectorProcess.start({
    kubeconfig: () => ({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': caData } }],
      users: [{ name: 'u', user: { token: status?.token } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'c',
    }),
  });
  try {
    await settled(() => core.readNamespacedConfigMap({ namespace, name: 'sluice-ca' }));
    await settled(async () => {
      const { metadata } = await network.readNamespacedNetworkPolicy({ namespace, name: 'p' });
      expect(metadata?.annotations).toHaveProperty(['sluice.dev/status']);
    });
  } finally {
    await injector.stop();
  }
  expect(injector.output).not.toMatch(/forbidden|denied/);
}

const WAYS = {
  kustomize: ['kubectl apply -k manifests/overlays/default', 1],
  Helm: [
    'kubectl apply -f manifests/base/namespace.yaml; helm install sluice manifests/helm/sluice --namespace sluice-system',
    2,
  ],
} as const;

test.each(Object.keys(WAYS) as (keyof typeof WAYS)[])(
  'what %s installed goes without a trace',
  async (way) => {
    const [namespaces = '', ...blocks] = documented();
    const [install, block] = WAYS[way];
    const namespace = await cluster.namespace({
      'sluice.dev/inject': 'enabled',
      'sluice.dev/pod-security': 'restricted',
      'pod-security.kubernetes.io/enforce': 'privileged',
    });
    // The installation of the tests before may still be going.
    await settled(async () => expect(await traces()).toEqual([]));
    await shell(install);
    await inject(namespace);
    expect((await traces()).length).toBeGreaterThan(15);

    await shell(namespaces);
    await shell(blocks[block - 1] ?? '');
    await shell(blocks.at(-1) ?? '');
    await settled(async () => expect(await traces()).toEqual([]));
    const left = await shell(`kubectl get namespace/${namespace} networkpolicy/p -n ${namespace} -o json`);
    expect(left.replaceAll(/sluice(-test-|\.dev\/test)/g, '')).not.toMatch(/sluice|pod-security/);
  },
  TIMEOUT_MS,
);
