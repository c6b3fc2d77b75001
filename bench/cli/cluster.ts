/** The cluster that the commands are asked about: the objects as the API has them, always the same ones. */

/** An object as JSON. */
export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string } & Readonly<
    Record<string, unknown>
  >;
  readonly [field: string]: unknown;
}

/** How large it is. */
export interface ClusterSize {
  readonly namespaces: number;
  /** Of each Deployment. There are `APPS` of them in each namespace. */
  readonly replicas: number;
}

/** What runs in each namespace, with the port that it serves. */
const APPS = [
  ['web', 8080],
  ['api', 9090],
  ['orders', 8081],
  ['billing', 8082],
  ['search', 8083],
  ['mail', 2525],
  ['worker', 9100],
  ['cache', 6379],
  ['db', 5432],
  ['queue', 5672],
] as const;

/** Namespaces of one team, whose pods may reach each other here and there. */
const NAMESPACES_OF_TEAM = 5;

const NODES = 100;
const BYTE = 256;
const OWNER_UID = '4c2e6f1a-7a55-4c36-9f0e-1f3f6c1b2d4e';
const OLD_HASH = '5f7c9d8b4c';
const HASH = '6d4cf56db6';

/** The name of a namespace. */
export function namespaceName(index: number): string {
  return `team-${Math.floor(index / NAMESPACES_OF_TEAM)}-${index % NAMESPACES_OF_TEAM}`;
}

/** The address of a pod, by its number in the cluster. */
export function podAddress(number: number): string {
  return `10.${100 + Math.floor(number / BYTE / BYTE)}.${Math.floor(number / BYTE) % BYTE}.${number % BYTE}`;
}

/** The name of a pod that is there: the first of an app. */
export function podName(namespace: number, app: string, { replicas }: ClusterSize): string {
  const place = APPS.findIndex(([name]) => name === app);
  return nameOfPod(app, (namespace * APPS.length + place) * replicas);
}

/** What is in no namespace. */
export function clusterWide({ namespaces }: ClusterSize): readonly ApiObject[] {
  const nodes = Array.from({ length: NODES }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `node-${index}`, labels: { 'kubernetes.io/hostname': `node-${index}` } },
    spec: { podCIDR: `10.${index}.0.0/24` },
    status: { addresses: [{ type: 'InternalIP', address: nodeAddress(index) }] },
  }));
  return [
    ...nodes,
    ...Array.from({ length: namespaces }, (_, index) => namespaceObject(index)),
    namespaceOf('kube-system', {}),
  ];
}

/** A namespace with its labels. */
function namespaceObject(index: number): ApiObject {
  return namespaceOf(namespaceName(index), { team: teamOf(index), tier: index % 2 === 0 ? 'gold' : 'basic' });
}

/** The workloads of a namespace with their Services; no pods. */
export function workloadsOf(index: number, { replicas }: ClusterSize): readonly ApiObject[] {
  const namespace = namespaceName(index);
  return APPS.flatMap(([app, port], place): ApiObject[] => {
    const labels = labelsOf(index, app);
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { namespace, name: app, labels },
      spec: {
        replicas,
        selector: { matchLabels: { app } },
        template: { metadata: { labels }, spec: podSpec(app, port) },
      },
    };
    return place % 2 === 0 ? [deployment, serviceOf(index, app, port, place)] : [deployment];
  });
}

/** What the controllers of a cluster have made of the workloads: ReplicaSets, an old one of each, EndpointSlices and pods. */
export function madeOf(index: number, size: ClusterSize): readonly ApiObject[] {
  const namespace = namespaceName(index);
  const { replicas } = size;
  return APPS.flatMap(([app, port], place) => {
    const first = (index * APPS.length + place) * replicas;
    const pods = Array.from({ length: replicas }, (_, replica) => podOf(index, app, port, first + replica));
    const sets = [HASH, OLD_HASH].map((hash) => ({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        namespace,
        name: `${app}-${hash}`,
        labels: { ...labelsOf(index, app), 'pod-template-hash': hash },
        ownerReferences: [ownedBy('apps/v1', 'Deployment', app)],
      },
      spec: {
        replicas: hash === HASH ? replicas : 0,
        selector: { matchLabels: { app, 'pod-template-hash': hash } },
        template: {
          metadata: { labels: { ...labelsOf(index, app), 'pod-template-hash': hash } },
          spec: podSpec(app, port),
        },
      },
    }));
    return [...sets, ...(place % 2 === 0 ? [sliceOf(namespace, app, port, first, replicas)] : []), ...pods];
  });
}

/**
 * Five policies of a namespace, of different shapes.
 * @param isEdited as after a change: the api is open to all of its team, and the database to one app more
 */
export function policiesOf(index: number, isEdited = false): readonly ApiObject[] {
  const namespace = namespaceName(index);
  const team = { matchLabels: { team: teamOf(index) } };
  const policy = (name: string, spec: object): ApiObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace, name, labels: { 'app.kubernetes.io/managed-by': 'argocd' } },
    spec,
  });
  const pods = (app: string) => ({ podSelector: { matchLabels: { app } } });
  return [
    policy('default-deny', { podSelector: {}, policyTypes: ['Ingress'] }),
    policy('web', {
      podSelector: { matchLabels: { app: 'web' } },
      policyTypes: ['Ingress'],
      ingress: [
        { from: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }], ports: [{ port: 'http' }] },
        {
          from: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespaceName(0) } },
              ...pods('worker'),
            },
          ],
          ports: [{ protocol: 'TCP', port: 9000, endPort: 9100 }],
        },
      ],
    }),
    policy('api', {
      podSelector: { matchLabels: { app: 'api' } },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [isEdited ? { namespaceSelector: team } : { namespaceSelector: team, ...pods('web') }],
          ports: [{ protocol: 'TCP', port: 9090 }],
        },
      ],
    }),
    policy('data', {
      podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['db', 'cache', 'queue'] }] },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: ['api', 'orders', 'billing', ...(isEdited ? ['search'] : [])].map(pods),
          ports: [5432, 6379, 5672].map((port) => ({ protocol: 'TCP', port })),
        },
      ],
    }),
    policy('out', {
      podSelector: { matchLabels: { app: 'worker' } },
      policyTypes: ['Egress'],
      egress: [
        {
          to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } }],
          ports: ['UDP', 'TCP'].map((protocol) => ({ protocol, port: 53 })),
        },
        { to: [pods('db'), pods('queue')] },
        {
          to: [{ ipBlock: { cidr: `192.0.2.${index % BYTE}/32` } }],
          ports: [{ protocol: 'TCP', port: 443 }],
        },
      ],
    }),
  ];
}

function teamOf(index: number): string {
  return `t${Math.floor(index / NAMESPACES_OF_TEAM)}`;
}

function namespaceOf(name: string, labels: Readonly<Record<string, string>>): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'kubernetes.io/metadata.name': name, ...labels } },
    status: { phase: 'Active' },
  };
}

function nodeAddress(index: number): string {
  return `192.168.0.${index + 1}`;
}

function labelsOf(index: number, app: string): Readonly<Record<string, string>> {
  return {
    app,
    'app.kubernetes.io/name': app,
    'app.kubernetes.io/instance': `${app}-${namespaceName(index)}`,
    team: teamOf(index),
    version: `v${(index % 3) + 1}`,
  };
}

function nameOfPod(app: string, number: number): string {
  return `${app}-${HASH}-${number.toString(36).padStart(5, '0')}`;
}

function ownedBy(apiVersion: string, kind: string, name: string) {
  return { apiVersion, kind, name, uid: OWNER_UID, controller: true, blockOwnerDeletion: true };
}

function podSpec(app: string, port: number) {
  return {
    serviceAccountName: app,
    terminationGracePeriodSeconds: 30,
    containers: [
      {
        name: app,
        image: `registry.example/${app}@sha256:9f2b5c0a6d1e4f8b7c3a2d1e0f9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b`,
        ports: [{ name: 'http', containerPort: port, protocol: 'TCP' }],
        env: ['LOG_LEVEL', 'DATABASE_URL', 'CACHE_URL', 'QUEUE_URL', 'TRACING'].map((name) => ({
          name,
          value: `${app}-${name.toLowerCase()}`,
        })),
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
        readinessProbe: {
          httpGet: { path: '/healthz', port: 'http', scheme: 'HTTP' },
          periodSeconds: 10,
          failureThreshold: 3,
        },
        livenessProbe: {
          httpGet: { path: '/healthz', port: 'http', scheme: 'HTTP' },
          periodSeconds: 10,
          failureThreshold: 3,
        },
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
          runAsNonRoot: true,
        },
        volumeMounts: [{ name: 'config', mountPath: '/etc/app', readOnly: true }],
      },
    ],
    volumes: [{ name: 'config', configMap: { name: `${app}-config`, defaultMode: 420 } }],
  };
}

function podOf(index: number, app: string, port: number, number: number): ApiObject {
  const ip = podAddress(number);
  const node = number % NODES;
  const spec = podSpec(app, port);
  const time = '2026-11-29T12:00:00Z';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: namespaceName(index),
      name: nameOfPod(app, number),
      generateName: `${app}-${HASH}-`,
      labels: { ...labelsOf(index, app), 'pod-template-hash': HASH },
      annotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': `${port}` },
      ownerReferences: [ownedBy('apps/v1', 'ReplicaSet', `${app}-${HASH}`)],
    },
    spec: {
      ...spec,
      nodeName: `node-${node}`,
      tolerations: ['not-ready', 'unreachable'].map((one) => ({
        key: `node.kubernetes.io/${one}`,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 300,
      })),
    },
    status: {
      phase: 'Running',
      conditions: [
        'PodReadyToStartContainers',
        'Initialized',
        'Ready',
        'ContainersReady',
        'PodScheduled',
      ].map((type) => ({
        type,
        status: 'True',
        lastProbeTime: null,
        lastTransitionTime: time,
      })),
      containerStatuses: spec.containers.map(({ name, image }) => ({
        name,
        image,
        imageID: image,
        ready: true,
        started: true,
        restartCount: 0,
        containerID: `containerd://${number.toString(16).padStart(64, '0')}`,
        state: { running: { startedAt: time } },
      })),
      hostIP: nodeAddress(node),
      hostIPs: [{ ip: nodeAddress(node) }],
      podIP: ip,
      podIPs: [{ ip }],
      startTime: time,
      qosClass: 'Burstable',
    },
  };
}

function serviceOf(index: number, app: string, port: number, place: number): ApiObject {
  const address = `10.96.${index % BYTE}.${place + 1}`;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: namespaceName(index), name: app, labels: labelsOf(index, app) },
    spec: {
      type: 'ClusterIP',
      clusterIP: address,
      clusterIPs: [address],
      selector: { app },
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: port }],
    },
  };
}

function sliceOf(namespace: string, app: string, port: number, first: number, replicas: number): ApiObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace,
      name: `${app}-x7k2p`,
      labels: {
        'kubernetes.io/service-name': app,
        'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
      },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port }],
    endpoints: Array.from({ length: replicas }, (_, replica) => ({
      addresses: [podAddress(first + replica)],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node-${(first + replica) % NODES}`,
      targetRef: { kind: 'Pod', namespace, name: nameOfPod(app, first + replica) },
    })),
  };
}
