/** Who sees which flows, asked of any API server: users with their own credentials, through the service proxy. */
import {
  AuthenticationV1Api,
  AuthorizationV1Api,
  CoreV1Api,
  KubeConfig,
  type KubernetesObject,
} from '@kubernetes/client-node';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClusterSource } from '../../../cli/flows/cluster/index.ts';
import type { ObservedFlow } from '../../../flows/index.ts';
import {
  AskerPolicy,
  Askers,
  FlowRights,
  type OperatorServer,
  startOperatorServer,
} from '../../../injector/operator/index.ts';
import { kustomize } from '../../manifests/render.ts';
import { TestCertificate } from '../../unit/injector/test_credentials.ts';
import { edgesOf, TestCollector } from './observed_shop.ts';
import { type Access, settled, TestCluster } from './test_cluster.ts';

const NAMESPACE = 'sluice-system';
const SERVICE = 'sluice-injector';
const QUESTION = { since: 0, until: Number.MAX_SAFE_INTEGER };

/** A user, and how a binding names him. */
export interface TestUser {
  readonly config: KubeConfig;
  readonly subject: object;
}

/** How the users of a test come by their credentials. */
export type UserMaker = (cluster: TestCluster, name: string) => Promise<TestUser>;

/** A user with a token: a service account of its own. */
export async function accountUser(cluster: TestCluster, name: string): Promise<TestUser> {
  const namespace = await cluster.namespace();
  await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } });
  return {
    config: await accountConfig(cluster, namespace, name),
    subject: { kind: 'ServiceAccount', name, namespace },
  };
}

async function accountConfig(cluster: TestCluster, namespace: string, name: string): Promise<KubeConfig> {
  const body = { spec: { audiences: [] } };
  const core = cluster.config.makeApiClient(CoreV1Api);
  const made = await settled(() => core.createNamespacedServiceAccountToken({ namespace, name, body }));
  const server = cluster.config.getCurrentCluster();
  if (server === null) throw new Error('the kubeconfig names no cluster');
  const config = new KubeConfig();
  config.loadFromClusterAndUser(server, { name, token: made.status?.token ?? '' });
  return config;
}

/**
 * Registers the scenarios.
 * @param publish has the Service of the injector lead to this port of the test's process
 * @param makers by the kind of their credentials
 */
export function flowAccessScenarios(
  open: () => Promise<Access>,
  publish: (cluster: TestCluster, port: number) => Promise<void>,
  makers: Readonly<Record<string, UserMaker>>,
): void {
  let cluster: TestCluster;
  let operator: OperatorServer;
  let collector: TestCollector;
  let shop: string;
  let other: string;
  const stop = new AbortController();
  const closers: (() => void)[] = [];

  beforeAll(async () => {
    cluster = new TestCluster(await open());
    const objects = (await kustomize('manifests/overlays/default')).filter(
      ({ kind }) => kind !== 'Deployment',
    );
    const isFirst = ({ kind }: { kind: string }) => Number(kind === 'Namespace');
    for (const object of [...objects].sort((a, b) => isFirst(b) - isFirst(a))) {
      const { kind, spec } = object;
      // The Service leads to this process instead of to pods.
      const without = kind === 'Service' ? { spec: { ...(spec as object), selector: undefined } } : {};
      await settled(() => cluster.create({ ...object, ...without } as KubernetesObject));
    }
    shop = await cluster.namespace();
    other = await cluster.namespace();
    collector = new TestCollector(edgesOf(shop, other));
    const config = await accountConfig(cluster, NAMESPACE, SERVICE);
    operator = await startOperatorServer(
      {
        collector: () => collector,
        askers: new Askers(config.makeApiClient(AuthenticationV1Api), NAMESPACE),
        policy: AskerPolicy.of(config, NAMESPACE, { goodMs: 200, knownMs: 0 }),
        rights: new FlowRights(config.makeApiClient(AuthorizationV1Api), 100),
        namespaces: () => [shop, other, NAMESPACE],
        certificate: await TestCertificate.make(),
        log: pino({ enabled: false }),
      },
      { port: 0, host: cluster.host },
    );
    await publish(cluster, operator.port);
  }, 120_000);

  afterAll(async () => {
    stop.abort();
    for (const close of closers) close();
    await operator?.close();
    await cluster?.close();
  });

  function sourceOf(config: KubeConfig) {
    const source = createClusterSource({ config, context: 'test', namespace: NAMESPACE }, stop.signal);
    closers.push(() => source.close());
    return source;
  }

  /** Gives somebody a right in a namespace; in all, where none is given. */
  async function allow({ subject }: TestUser, name: string, namespace?: string): Promise<void> {
    await cluster.create({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'sluice-flows-viewer' },
      subjects: [subject],
    } as KubernetesObject);
  }

  const ends = ({ src, dst }: ObservedFlow) =>
    `${src.namespace}/${src.workload} -> ${dst.namespace}/${dst.workload}`;
  const seenOfShop = () => [
    `${shop}/deploy/web -> ${shop}/deploy/db`,
    `${other}/deploy/spy -> ${shop}/deploy/db`,
    `${shop}/deploy/web -> ${other}/deploy/vault`,
  ];

  describe.each(Object.entries(makers))('a user with a %s', (kind, make) => {
    let lead: TestUser;

    beforeAll(async () => {
      lead = await make(cluster, `lead-${kind}-${cluster.id}`);
      await allow(lead, `lead-${kind}`, shop);
    });

    test('sees the flows of the one namespace that he may see, and of the other ends no more than their names', async () => {
      const { flows } = await settled(() => sourceOf(lead.config).ask(QUESTION));
      expect(flows.map(ends)).toEqual(seenOfShop());
      const [own, fromOther, toOther] = flows;
      expect(own?.src.pod).toBe('web-1');
      expect(fromOther).toMatchObject({ policy: `${shop}/db`, explanation: `denied by ${shop}/db` });
      expect(fromOther?.src).not.toHaveProperty('pod');
      expect(JSON.stringify(toOther)).not.toContain(`${other}/db`);
      expect(collector.questions.at(-1)?.namespaces).toEqual([shop]);
    });

    test('is refused where he names a namespace that he may not see', async () => {
      const asked = sourceOf(lead.config).ask({ ...QUESTION, namespaces: [shop, other] });
      await expect(asked).rejects.toMatchObject({
        code: 'RIGHT_MISSING',
        message: expect.stringContaining(`in the namespace ${other}`),
      });
    });

    test('gets flows as they come, while the answer goes on', async () => {
      const done = new AbortController();
      const seen: string[] = [];
      for await (const flow of sourceOf(lead.config).follow(QUESTION, done.signal)) {
        seen.push(ends(flow));
        if (seen.length === 3) done.abort();
      }
      expect(seen).toEqual(seenOfShop());
      await expect.poll(() => collector.ended, { timeout: 10_000 }).toBeGreaterThan(0);
    });

    test('sees nothing without a right', async () => {
      const stranger = await make(cluster, `stranger-${kind}-${cluster.id}`);
      const asked = sourceOf(stranger.config).ask(QUESTION);
      await expect(asked).rejects.toMatchObject({ code: 'RIGHT_MISSING' });
    });

    test('sees all with the right in all namespaces', async () => {
      const auditor = await make(cluster, `auditor-${kind}-${cluster.id}`);
      await allow(auditor, `auditor-${kind}-${cluster.id}`);
      const { flows } = await settled(() => sourceOf(auditor.config).ask(QUESTION));
      expect(flows).toEqual(edgesOf(shop, other));
    });

    test('gets no token that says that he is somebody else, or that is good for more', async () => {
      const core = lead.config.makeApiClient(CoreV1Api);
      const ask = (audiences: string[], expirationSeconds = 600) =>
        core.createNamespacedServiceAccountToken({
          namespace: NAMESPACE,
          name: 'sluice-flows',
          body: { spec: { audiences, expirationSeconds } },
        });
      const self = await lead.config.makeApiClient(AuthenticationV1Api).createSelfSubjectReview({ body: {} });
      const { username = '', uid, groups = [], extra = {} } = self.status?.userInfo ?? {};
      const truth = [
        'sluice.dev/flows',
        `user:${username}`,
        ...(uid ? [`uid:${uid}`] : []),
        ...groups.map((group) => `group:${group}`),
        ...Object.entries(extra).flatMap(([key, values]) => values.map((value) => `extra:${key}=${value}`)),
      ];
      await ask(truth);
      const lies = [
        [],
        ['sluice.dev/flows', 'user:admin'],
        truth.map((said) => (said.startsWith('user:') ? 'user:admin' : said)),
        [...truth, 'user:admin'],
        [...truth, 'group:system:masters'],
        [...truth, 'https://kubernetes.default.svc'],
        truth.filter((said) => said !== 'group:system:authenticated'),
        ...(Object.keys(extra).length === 0 ? [] : [truth.filter((said) => !said.startsWith('extra:'))]),
      ];
      for (const lie of lies) await expect(ask(lie), lie.join()).rejects.toMatchObject({ code: 422 });
      await expect(ask(truth, 3_600)).rejects.toMatchObject({ code: 422 });
    });
  });

  test('a token of another account says nothing, whatever its audiences are', async () => {
    const { config } = await accountUser(cluster, 'forger');
    const core = cluster.config.makeApiClient(CoreV1Api);
    const namespace = await cluster.namespace();
    const body = {
      spec: { audiences: ['sluice.dev/flows', 'user:admin', 'group:system:masters'], expirationSeconds: 600 },
    };
    const made = await core.createNamespacedServiceAccountToken({ namespace, name: 'default', body });
    expect(await statusOf(config, made.status?.token ?? '')).toMatchObject({
      status: 401,
      text: expect.stringContaining('not of the account'),
    });
    expect(await statusOf(config, 'a.b.c')).toMatchObject({ status: 401 });
    expect(await statusOf(config, '')).toMatchObject({ status: 401 });
  });

  test('nobody is answered while the policy is not in force', async () => {
    const auditor = await accountUser(cluster, 'late');
    await allow(auditor, `late-${cluster.id}`);
    const source = sourceOf(auditor.config);
    await settled(() => source.ask(QUESTION));
    const problem = () => source.ask(QUESTION).catch((error: Error) => error.message);
    const times = { timeout: 30_000, interval: 300 };
    const key = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'sluice-flows-askers' },
    };
    // One that only audits lets lies through.
    const binding = await cluster.objects.read(key);
    const spec = { policyName: 'sluice-flows-askers', validationActions: ['Audit'] };
    await cluster.objects.replace({ ...binding, spec } as KubernetesObject);
    await expect.poll(problem, times).toContain('does not refuse a token with a false name');
    await cluster.objects.delete(key);
    await expect.poll(problem, times).toContain('there is no sluice-flows-askers');
  }, 60_000);

  /** What the injector answers to a token, through the proxy. */
  async function statusOf(config: KubeConfig, token: string): Promise<{ status: number; text: string }> {
    const { ApiClient, ApiFailure } = await import('../../../injector/api/index.ts');
    const client = new ApiClient(config);
    closers.push(() => client.close());
    const path = `/api/v1/namespaces/${NAMESPACE}/services/https:${SERVICE}:operator/proxy/observe`;
    const headers = token === '' ? {} : { 'x-sluice-token': token };
    try {
      await client.post(path, { body: QUESTION, headers }, {}, stop.signal);
      return { status: 200, text: '' };
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      return { status: error.code, text: error.message };
    }
  }
}
