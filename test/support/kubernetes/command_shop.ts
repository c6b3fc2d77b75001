/** Two namespaces of a cluster with what live commands are asked about, and users of few rights. */
import {
  CoreV1Api,
  KubeConfig,
  type KubernetesObject,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node';
import { type Access, idlePod, settled, TestCluster } from './test_cluster.ts';

/** `reader` may read one namespace, `few` pods and policies of it; `lister` is a reader who may list namespaces. */
export type ShopUser = 'reader' | 'few' | 'lister' | 'admin';

const RBAC = 'rbac.authorization.k8s.io';
const READ = ['get', 'list', 'watch'];
const asMergePatch = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);

/** Rules of a role. */
const RULES = {
  few: [
    { apiGroups: [''], resources: ['pods'], verbs: READ },
    { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: READ },
  ],
  reader: [
    {
      apiGroups: ['', 'apps', 'batch', 'networking.k8s.io', 'discovery.k8s.io'],
      resources: [
        'namespaces', // `get` of its own one
        'pods',
        'services',
        'replicationcontrollers',
        'deployments',
        'statefulsets',
        'daemonsets',
        'replicasets',
        'jobs',
        'cronjobs',
        'networkpolicies',
        'endpointslices',
      ],
      verbs: READ,
    },
  ],
};

/** `api` admits `web` on 8080 and the other namespace's `client` on 9090; `cart` is a Deployment without pods. */
export class CommandShop {
  readonly own: string;
  readonly other: string;
  readonly #cluster: TestCluster;
  readonly #tokens = new Map<ShopUser, string>();

  static async open(access: Access): Promise<CommandShop> {
    const cluster = new TestCluster(access);
    const own = await cluster.namespace();
    const other = await cluster.namespace({ 'sluice.dev/test-team': cluster.id });
    const shop = new CommandShop(cluster, own, other);
    await shop.#fill();
    for (const name of ['reader', 'few', 'lister'] as const) await shop.#admit(name);
    return shop;
  }

  private constructor(cluster: TestCluster, own: string, other: string) {
    this.#cluster = cluster;
    this.own = own;
    this.other = other;
  }

  /** A policy on `api`, as the API has it. */
  policy(name: string, ingress: readonly object[]) {
    return {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: this.own, name },
      spec: { podSelector: { matchLabels: { app: 'api' } }, ingress },
    };
  }

  /** A kubeconfig file, as JSON. Its context is called `shop`; an administrator's has no namespace. */
  kubeconfig(user: ShopUser): unknown {
    const { config } = this.#cluster;
    if (user === 'admin') return JSON.parse(config.exportConfig());
    const { server, caData } = config.getCurrentCluster() ?? {};
    return {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server, 'certificate-authority-data': caData } }],
      users: [{ name: 'u', user: { token: this.#tokens.get(user) } }],
      contexts: [{ name: 'shop', context: { cluster: 'c', user: 'u', namespace: this.own } }],
      'current-context': 'shop',
    };
  }

  close(): Promise<void> {
    return this.#cluster.close();
  }

  async #fill(): Promise<void> {
    await this.#pod(this.own, 'api-1', 'api', '10.9.0.1');
    await this.#pod(this.own, 'web-1', 'web', '10.9.0.2');
    await this.#pod(this.other, 'client', 'client', '10.9.0.3');
    const labels = { app: 'cart' };
    await this.#create({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { namespace: this.own, name: 'cart' },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'app' }] } },
      },
    });
    const client = {
      namespaceSelector: { matchLabels: { 'sluice.dev/test-team': this.#cluster.id } },
      podSelector: { matchLabels: { app: 'client' } },
    };
    // As the client calls the field.
    await this.#create(
      this.policy('api', [
        { _from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 8080 }] },
        { _from: [client], ports: [{ port: 9090 }] },
      ]),
    );
  }

  async #pod(namespace: string, name: string, app: string, ip: string): Promise<void> {
    const core = this.#cluster.config.makeApiClient(CoreV1Api);
    await this.#create(idlePod(namespace, name, { app }));
    const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }] };
    await core.patchNamespacedPodStatus({ namespace, name, body: { status } }, asMergePatch);
  }

  /** An account with a role, and its token once that counts. */
  async #admit(name: Exclude<ShopUser, 'admin'>): Promise<void> {
    const { config, id } = this.#cluster;
    const metadata = { namespace: this.own, name };
    await this.#create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
    const rules = name === 'few' ? RULES.few : RULES.reader;
    await this.#create({ apiVersion: `${RBAC}/v1`, kind: 'Role', metadata, rules });
    await this.#bind('RoleBinding', { kind: 'Role', name }, metadata);
    if (name === 'lister') {
      const wide = { name: `lister-${id}` };
      const lists = [{ apiGroups: [''], resources: ['namespaces'], verbs: READ }];
      await this.#create({ apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: wide, rules: lists });
      await this.#bind('ClusterRoleBinding', { kind: 'ClusterRole', ...wide }, wide, name);
    }
    const made = await config
      .makeApiClient(CoreV1Api)
      .createNamespacedServiceAccountToken({ ...metadata, body: { spec: { audiences: [] } } });
    const token = made.status?.token ?? '';
    this.#tokens.set(name, token);
    await settled(() => this.#asks(token, name === 'lister'));
  }

  #bind(
    kind: string,
    role: object,
    metadata: object,
    account = String(Object(metadata).name),
  ): Promise<unknown> {
    return this.#create({
      apiVersion: `${RBAC}/v1`,
      kind,
      metadata,
      roleRef: { apiGroup: RBAC, ...role },
      subjects: [{ kind: 'ServiceAccount', namespace: this.own, name: account }],
    });
  }

  async #asks(token: string, everywhere: boolean): Promise<unknown> {
    const config = new KubeConfig();
    const cluster = this.#cluster.config.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig has no current cluster');
    config.loadFromClusterAndUser(cluster, { name: 'u', token });
    const core = config.makeApiClient(CoreV1Api);
    await core.listNamespacedPod({ namespace: this.own });
    return everywhere ? core.listNamespace() : undefined;
  }

  #create(object: object): Promise<unknown> {
    return this.#cluster.create(object as KubernetesObject);
  }
}
