/** `sluice check` against an API server's stand-in. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { issueCa } from '../../../../injector/certificates/issue.ts';
import { injected, pod } from '../../../builders/admitted_pods.ts';
import { temporaryDirectory } from '../../../builders/cli_manifests.ts';
import { endpointSlice, kubeDns } from '../../../builders/manifests.ts';
import type { ApiServer } from '../../../support/api_server/api_server.ts';
import { validNow } from '../../injector/test_credentials.ts';
import { liveCluster } from '../support/live_cluster.ts';
import { runSluice } from '../support/sluice_process.ts';

type Json = Record<string, unknown>;
const BASE = join(import.meta.dirname, '../../../../manifests/base');
const base = (name: string): Json[] =>
  parseAllDocuments(readFileSync(join(BASE, name), 'utf8')).map((document) => document.toJS() as Json);

let api: ApiServer;
let kubeconfig = '';

beforeEach(async () => {
  ({ api, kubeconfig } = await liveCluster());
});

const check = (...args: string[]) => runSluice(['check', '--kubeconfig', kubeconfig, ...args]);

/** Without what was not looked at, and without the file that the commands name. */
const foundIn = (stdout: string) =>
  stdout.replaceAll(/^not looked at: .*\n/gm, '').replaceAll(` --kubeconfig ${kubeconfig}`, '');

const COST =
  'ok       cost: 1 sidecar requests CPU 10m and memory 64Mi, and may take CPU 2 and memory 512Mi; ' +
  '1 injector requests CPU 100m and memory 256Mi, and may take any CPU and memory 1536Mi';

/** A value, or from where the kubelet has it. */
type EnvValue = string | { readonly valueFrom: Json };

/** The webhook's configuration once the injector has put its CA there. */
function webhookTrusting(caBundle: string): Json {
  const webhooks = base('webhook.yaml').flatMap((configuration) => configuration.webhooks as Json[]);
  const trusting = webhooks.map((hook) => ({
    ...hook,
    clientConfig: { ...(hook.clientConfig as Json), caBundle },
  }));
  return { ...base('webhook.yaml')[0], webhooks: trusting };
}

/** @param container fields that take the place of the manifest's */
function withEnv(deployment: Json, changes: Readonly<Record<string, EnvValue>>, container: Json): Json {
  const copy = structuredClone(deployment) as { spec: { template: { spec: { containers: Json[] } } } };
  const { spec } = copy.spec.template;
  spec.containers = spec.containers.map((each) => ({
    ...each,
    env: (each.env as { name: string }[]).map((variable) => {
      const change = changes[variable.name];
      if (change === undefined) return variable;
      return { name: variable.name, ...(typeof change === 'string' ? { value: change } : change) };
    }),
    ...container,
  }));
  return copy;
}

async function install(
  changes: {
    readonly caBundle?: string;
    readonly replicas?: number;
    readonly clusterIP?: string;
    /** Variables of the injector. */
    readonly env?: Readonly<Record<string, EnvValue>>;
    /** Other fields of its container. */
    readonly container?: Json;
  } = {},
): Promise<void> {
  const caBundle = changes.caBundle ?? Buffer.from((await issueCa(validNow())).cert).toString('base64');
  const [made, service] = [...base('deployment.yaml'), ...base('service.yaml')];
  const deployment = withEnv(made ?? {}, changes.env ?? {}, changes.container ?? {});
  for (const namespace of base('namespace.yaml')) await api.create(namespace);
  await api.apply({ ...deployment });
  await api.apply({ ...deployment, status: { availableReplicas: changes.replicas ?? 1 } });
  await api.create({
    ...service,
    spec: { ...(service?.spec as Json), clusterIP: changes.clusterIP ?? '10.96.0.20' },
  });
  await api.create(webhookTrusting(caBundle));
  for (const name of ['admission_policies', 'pod_security', 'injector_account', 'flows_access'])
    for (const object of base(`${name}.yaml`)) await api.create(object);
}

async function enable(name: string, labels: Json = {}): Promise<void> {
  const metadata = { name, labels: { 'sluice.dev/inject': 'enabled', ...labels } };
  await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata });
}

/** As it was before the webhook and the policies were there. */
const podIn = (namespace: string, name: string, object = pod()) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  ...object,
  metadata: { ...object.metadata, namespace, name },
});

describe('sluice check in a cluster', () => {
  test('finds what the injector says of policies that it cannot enforce, as long as it is about their present wording', async () => {
    await enable('shop');
    await install();
    const status = {
      state: 'partial',
      generation: 1,
      selected: 1,
      enforcing: 1,
      unsupported: ['has 10002 entries'],
    };
    const annotations = { 'sluice.dev/status': JSON.stringify(status) };
    const metadata = { namespace: 'shop', name: 'large', annotations };
    const policy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata,
      spec: { podSelector: {} },
    };
    await api.create(policy);

    const { code, stdout } = await check();
    expect(stdout).toMatch(/^error +CK\d+ {2}networkpolicy shop\/large: has 10002 entries$/m);
    expect(code).toBe(1);

    await api.apply({ ...policy, spec: { podSelector: {}, ingress: [{}] } });
    expect((await check()).stdout).not.toContain('10002');
  });

  test('finds nothing where all is well', async () => {
    await enable('shop');
    await api.create(podIn('shop', 'api', injected(pod())));
    await install();

    const { code, stdout, stderr } = await check();
    expect(stdout).toMatch(/^not looked at: what policies say: sluice lint -A --kubeconfig /m);
    expect(stdout).toMatch(/^not looked at: other namespaces, each with -n: sluice-system$/m);
    expect([stderr, foundIn(stdout)]).toEqual([
      '',
      [
        'ok       cluster: Sluice is installed; Kubernetes 1.36',
        'ok       namespace shop: can be enforced: 1 pod or workload looked at',
        COST,
        '',
      ].join('\n'),
    ]);
    expect(code).toBe(0);
  });

  test('finds a namespace of the injector without a Pod Security level, as Helm makes one', async () => {
    await install();
    const [own] = base('namespace.yaml');
    await api.patch(own ?? {}, { metadata: { labels: { 'pod-security.kubernetes.io/enforce': null } } });

    const { stdout } = await check();
    expect(stdout).toMatch(
      /^warning +CK\d+ {2}namespace sluice-system: has no Pod Security level.*=restricted$/m,
    );
  });

  test('knows the namespace that the injector is in', async () => {
    const webhook = JSON.stringify(webhookTrusting('')).replaceAll('sluice-system', 'elsewhere');
    await api.create(JSON.parse(webhook) as Json);
    for (const name of ['elsewhere', 'sluice-system']) await enable(name);

    const { stdout } = await check();
    expect(stdout).toMatch(/^error +CK\d+ {2}namespace elsewhere: is never injected/m);
    expect(stdout).not.toContain('namespace sluice-system: is never injected');
  });

  test('finds that nothing is installed', async () => {
    const { code, stdout } = await check();

    expect(code).toBe(1);
    for (const missing of [
      'webhook sluice-injector: is not there',
      'admission policy sluice-pods is not bound',
      'deployment sluice-injector: is not there',
      'service sluice-injector: is not there',
    ])
      expect(stdout).toContain(missing);
    expect(stdout).not.toContain('every new pod is refused');
  });

  test('names pods whose sidecar looks for an injector that has another address now', async () => {
    await enable('shop');
    await api.create(podIn('shop', 'api', injected(pod())));
    await install({ clusterIP: '10.96.0.30' });

    const { code, stdout } = await check();
    expect([code, foundIn(stdout)]).toEqual([
      1,
      [
        'ok       cluster: Sluice is installed; Kubernetes 1.36',
        'error    CK305  pod shop/api: its sidecar looks for the injector at 10.96.0.20, which is at 10.96.0.30 now: ' +
          'it gets no tables once its connection ends; restart its workload',
        '         run  kubectl get pod api -n shop -o yaml | kubectl replace --force -f -',
        '         see  docs/reference/check.md#ck305, or sluice check --explain CK305',
        COST,
        '',
      ].join('\n'),
    ]);
  });

  test('finds a Service that is headless: it has no address to give to sidecars', async () => {
    await enable('shop');
    await api.create(podIn('shop', 'api', injected(pod())));
    await install({ clusterIP: 'None' });

    const { code, stdout } = await check();
    expect(code).toBe(1);
    expect(stdout).toMatch(/^error +CK\d+ {2}service sluice-injector: has no cluster IP/m);
    expect(stdout).not.toContain('None');
  });

  test('says of a namespace without the label that its pods are not injected', async () => {
    await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    await install();

    const { stdout } = await check();
    expect(stdout).toContain(
      'warning  CK204  namespaces: none is labelled sluice.dev/inject=enabled: no pod is injected',
    );
    expect((await check('-n', 'shop')).stdout).toContain(
      'namespace shop: has no label sluice.dev/inject: no pod is injected until it is enabled',
    );
  });

  test('finds a webhook whose CA is missing or has expired', async () => {
    await install({ caBundle: '' });
    expect((await check()).stdout).toContain('has no caBundle');

    const day = 24 * 3_600_000;
    const old = await issueCa({ notBeforeMs: Date.now() - 2 * day, notAfterMs: Date.now() - day });
    await api.apply(webhookTrusting(Buffer.from(old.cert).toString('base64')));
    expect((await check()).stdout).toContain('only expired CAs');
  });

  test('blames the missing webhook, not the label, for pods without a sidecar, and passes over those that end', async () => {
    await enable('shop');
    await api.create(podIn('shop', 'new'));
    const ending = podIn('shop', 'ending');
    const deletionTimestamp = new Date().toISOString();
    await api.create({ ...ending, metadata: { ...ending.metadata, deletionTimestamp } });

    const { stdout } = await check();
    expect(stdout).toMatch(
      /^error +CK\d+ {2}pod shop\/new: has no sidecar, as there is no webhook to add one/m,
    );
    expect(stdout).not.toContain('label');
    expect(stdout).not.toContain('ending');
  });

  test('finds pods that are older than the label, and what will refuse them', async () => {
    await enable('shop', { 'pod-security.kubernetes.io/enforce': 'restricted' });
    const mighty = pod({ containers: [{ name: 'a', image: 'a', securityContext: { privileged: true } }] });
    await api.create(podIn('shop', 'old'));
    await api.create(podIn('shop', 'pretender', pod({}, { 'sluice.dev/status': '{"version":"9.9.9"}' })));
    await api.create(podIn('shop', 'mighty', mighty));
    await install();

    const { code, stdout } = await check();
    expect(code).toBe(1);
    expect(stdout).toMatch(/^error +CK\d+ {2}namespace shop: Pod Security 'restricted'/m);
    expect(stdout).toMatch(
      /^error +CK\d+ {2}pod shop\/old: has no sidecar: it was created before the label, or/m,
    );
    expect(stdout).toMatch(/^error +CK\d+ {2}pod shop\/pretender: has no sidecar/m);
    expect(stdout).toMatch(/^error +CK\d+ {2}pod shop\/mighty: will be refused: container a is privileged/m);
  });

  test("judges by the installation's own limits", async () => {
    await enable('shop');
    await api.create(podIn('shop', 'api', pod({}, { 'sluice.dev/memory-request': '300Mi' })));
    await install({ env: { SLUICE_SIDECAR_MEMORY_LIMIT: '256Mi' } });

    const { stdout } = await check();
    expect(stdout).toMatch(
      /^error +CK\d+ {2}pod shop\/api: will be refused: .*300Mi is over its limit 256Mi/m,
    );
    expect(stdout).not.toContain('default limits');
  });

  test('lets through what is over the default limits and not over those of the installation', async () => {
    await enable('shop');
    await api.create(podIn('shop', 'api', pod({}, { 'sluice.dev/memory-request': '600Mi' })));
    await install({ container: { args: ['--sidecar-memory-limit=1Gi'] } });

    const { stdout } = await check();
    expect(stdout).toMatch(/^error +CK\d+ {2}pod shop\/api: has no sidecar/m);
    expect(stdout).not.toContain('over its limit');
  });

  test.each([
    [
      {
        env: {
          SLUICE_SIDECAR_MEMORY_LIMIT: { valueFrom: { configMapKeyRef: { name: 'own', key: 'limit' } } },
        },
      },
      'the injector has SLUICE_SIDECAR_MEMORY_LIMIT from elsewhere',
    ],
    [{ container: { envFrom: [{ configMapRef: { name: 'own' } }] } }, 'the injector has envFrom'],
    [{ container: { command: ['/start'] } }, 'the injector is started by another command'],
  ])(
    'says that it judges by default limits where the Deployment does not have the settings: %j',
    async (changes, why) => {
      await install(changes);

      const { code, stdout } = await check();
      expect(stdout).toMatch(
        new RegExp(`^warning +CK009  settings: judged with default limits, .*: ${why}`, 'm'),
      );
      expect(code).toBe(0);
    },
  );

  test('says that it judges by default limits where there is no installation, or none that can start', async () => {
    await enable('shop');
    await api.create(podIn('shop', 'api'));
    expect((await check()).stdout).toMatch(
      /^ok +settings: judged with default limits, .*: no injector is installed$/m,
    );

    await install({ env: { SLUICE_SIDECAR_MEMORY_LIMIT: 'plenty' } });
    const { code, stdout } = await check();
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^error +CK\d+ {2}settings: the injector cannot start with its own, .*: SLUICE_SIDECAR_MEMORY_LIMIT is 'plenty'/m,
    );
    expect(stdout).toContain('default limits');
  });

  test('judges DNS by the name servers that the cluster has', async () => {
    await enable('shop');
    await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } });
    await api.create(kubeDns());
    const dns = pod({ containers: [{ name: 'dns', image: 'dns' }] });
    const coredns = {
      ...podIn('kube-system', 'coredns', dns),
      metadata: { namespace: 'kube-system', name: 'coredns', labels: { 'k8s-app': 'kube-dns' } },
    };
    await api.create(coredns);
    await api.apply({
      ...coredns,
      status: { phase: 'Running', podIP: '10.1.9.9', podIPs: [{ ip: '10.1.9.9' }] },
    });
    await api.create(endpointSlice('kube-system/kube-dns-1', 'kube-dns', ['10.1.9.9'], ['UDP/53']));
    await enable('library');
    const servers = {
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
      podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
    };
    for (const [namespace, to] of [
      ['shop', { podSelector: {} }],
      ['library', servers],
    ] as const) {
      await api.create(podIn(namespace, 'api', injected(pod())));
      await api.create({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { namespace, name: 'out' },
        spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [to] }] },
      });
    }
    await install();

    const { stdout } = await check();
    expect(stdout.match(/^.*names do not resolve$/gm)).toEqual([
      'warning  CK403  pod shop/api: egress is isolated by shop/out, and no rule admits DNS, which is kube-system/kube-dns (10.1.9.9 UDP/53): names do not resolve',
    ]);
  });

  test('says so when the cluster cannot be read', async () => {
    await api.goAway();
    const gone = await check();
    expect([gone.code, gone.stderr]).toEqual([
      2,
      expect.stringMatching(/cluster of context double cannot be read: .*: it does not answer/),
    ]);

    const home = temporaryDirectory();
    const nothing = await runSluice(['check'], '', {
      HOME: home,
      KUBECONFIG: '',
      KUBERNETES_SERVICE_HOST: '',
    });
    expect([nothing.code, nothing.stderr]).toEqual([
      2,
      expect.stringMatching(/no kubeconfig was found: there is no .*config, and KUBECONFIG is not set/),
    ]);
    const none = await runSluice(['check', '--kubeconfig', '/nonexistent']);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('kubeconfig')]);
  });

  test('names the context that the kubeconfig does not have, and where there is none, the lack of it', async () => {
    const missing = await check('--context', 'elsewhere');
    expect([missing.code, missing.stderr]).toEqual([
      2,
      'sluice: the kubeconfig has no context elsewhere; it has double\n',
    ]);
    const nothing = await runSluice(['check', '--context', 'elsewhere'], '', {
      HOME: temporaryDirectory(),
      KUBECONFIG: '',
      KUBERNETES_SERVICE_HOST: '',
    });
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining('no kubeconfig was found')]);
  });

  test('quotes nothing of a kubeconfig that cannot be parsed', async () => {
    writeFileSync(kubeconfig, 'users:\n- name: u\n  user:\n    token: hidden: oops\n');
    const broken = await check();
    expect([broken.code, broken.stderr]).toEqual([
      2,
      `sluice: the kubeconfig ${kubeconfig} cannot be read: bad indentation of a mapping entry (4:18)\n`,
    ]);
  });
});
