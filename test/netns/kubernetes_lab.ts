/**
 * A lab whose control plane is that of a cluster: on a node of its own run a double of the API server and the injector;
 * pods are created through admission, and their sidecars follow the injector over TLS with a token of their own.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INJECTOR_PORTS } from '../../common/contract.ts';
import { fileSlug } from '../../lab/names/names.ts';
import { labPaths } from '../../lab/names/paths.ts';
import type { Topology } from '../../lab/network/topology.ts';
import { askInjector } from '../../lab/pods/injector_client.ts';
import { labMarks } from '../../lab/processes/marks.ts';
import { inNetns } from '../../lab/processes/netns.ts';
import { type ProcessId, signalProcess, waitGone } from '../../lab/processes/process.ts';
import { startProcess } from '../../lab/processes/start.ts';
import { type Manifest, namespace, node } from '../builders/manifests.ts';
import type { ApiObject } from '../support/api_server/api_object.ts';
import { ApiProcess } from '../support/api_server/api_process.ts';
import { TestLab, until } from './harness.ts';

const INJECTOR = join(import.meta.dirname, '../../injector/main.ts');

/** The node of the control plane: no pod is on it, so its address is nobody's own node. */
const CONTROL_NODE = 9;
const CONTROL_ADDRESS = `10.0.0.${CONTROL_NODE}`;
const PORTS = { api: 6443, ...INJECTOR_PORTS, webhook: 8_443 };

const START_MS = 60_000;

/** What the injector's installation consists of, besides the injector. */
const INSTALLATION: readonly Manifest[] = [
  namespace('sluice-system'),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'sluice-system', name: 'sluice-injector' },
    spec: {
      clusterIP: CONTROL_ADDRESS,
      clusterIPs: [CONTROL_ADDRESS],
      ports: [
        { name: 'webhook', port: 443, targetPort: PORTS.webhook },
        { name: 'tables', port: PORTS.tables },
      ],
    },
  },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: 'sluice-system',
      name: 'sluice-injector-1',
      labels: { 'kubernetes.io/service-name': 'sluice-injector' },
    },
    addressType: 'IPv4',
    ports: [
      { name: 'webhook', port: PORTS.webhook, protocol: 'TCP' },
      { name: 'tables', port: PORTS.tables, protocol: 'TCP' },
    ],
    endpoints: [{ addresses: [CONTROL_ADDRESS], conditions: { ready: true } }],
  },
  {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: 'sluice-injector' },
    webhooks: [
      {
        name: 'inject.sluice.dev',
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        reinvocationPolicy: 'IfNeeded',
        timeoutSeconds: 5,
        namespaceSelector: { matchLabels: { 'sluice.dev/inject': 'enabled' } },
        rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
        clientConfig: { service: { namespace: 'sluice-system', name: 'sluice-injector', path: '/inject' } },
      },
    ],
  },
];

export class KubernetesLab {
  readonly net: TestLab;
  readonly api: ApiProcess;
  /** The pods as admission left them. */
  readonly pods: readonly ApiObject[];
  readonly #control: ControlPlane;

  /** Brings up a lab with these objects. */
  static async up(objects: readonly Manifest[]): Promise<KubernetesLab> {
    const control = new ControlPlane(objects);
    try {
      const net = await TestLab.up({
        objects: [...objects, node(CONTROL_NODE)],
        sidecarEnv: control.sidecarEnv,
        controlPlane: (topology) => control.start(topology),
      });
      return new KubernetesLab(net, control);
    } catch (error) {
      await control.close();
      throw error;
    }
  }

  private constructor(net: TestLab, control: ControlPlane) {
    this.net = net;
    this.#control = control;
    this.api = control.api;
    this.pods = control.pods;
  }

  /** Starts an injector; it serves when this returns. */
  startInjector(): Promise<void> {
    return this.#control.startInjector();
  }

  async killInjector(): Promise<void> {
    await this.#control.killInjector();
  }

  /** The log of all injectors so far. */
  get injectorLog(): string {
    return this.#control.injectorLog;
  }

  async close(): Promise<void> {
    await this.#control.close();
    await this.net.close();
  }
}

class ControlPlane {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-kubernetes-'));
  readonly #objects: readonly Manifest[];
  readonly sidecarEnv: Readonly<Record<string, string>>;
  pods: readonly ApiObject[] = [];
  #api: ApiProcess | undefined;
  #lab = '';
  #netns = '';
  #injector: ProcessId | undefined;

  constructor(objects: readonly Manifest[]) {
    this.#objects = objects;
    mkdirSync(join(this.#folder, 'tokens'));
    this.sidecarEnv = {
      SLUICE_SOURCE: '', // not the lab's own injector
      SLUICE_INJECTOR_ADDRESS: `${CONTROL_ADDRESS}:${PORTS.tables}`,
      SLUICE_TOKEN_FILE: join(this.#folder, 'tokens', '{pod}'),
      SLUICE_CA_FILE: join(this.#folder, 'ca.crt'),
    };
  }

  get api(): ApiProcess {
    if (this.#api === undefined) throw new Error('the control plane has not started');
    return this.#api;
  }

  get injectorLog(): string {
    return readFileSync(join(this.#folder, 'injector.log'), 'utf8');
  }

  async start(topology: Topology): Promise<void> {
    this.#lab = topology.lab;
    this.#netns = topology.nodes.find(({ name }) => name === `node-${CONTROL_NODE}`)?.netns ?? '';
    this.#api = await ApiProcess.start({
      wrapper: inNetns(this.#netns, []),
      host: CONTROL_ADDRESS,
      port: PORTS.api,
      env: { ...process.env, ...labMarks(this.#lab) },
    });
    writeFileSync(join(this.#folder, 'kubeconfig'), JSON.stringify(this.api.kubeconfig));
    const pods = this.#objects.filter(({ kind }) => kind === 'Pod');
    await this.api.apply(...INSTALLATION, ...this.#objects.filter(({ kind }) => kind !== 'Pod'));
    await this.startInjector();
    // The webhook is asked once its configuration has the CA.
    const created: ApiObject[] = [];
    for (const pod of pods) created.push(await this.#createPod(pod));
    this.pods = created;
    await this.#publishCa();
  }

  async startInjector(): Promise<void> {
    const { statusSocket } = labPaths(this.#lab);
    const { id } = await startProcess({
      lab: this.#lab,
      netns: this.#netns,
      argv: [process.execPath, INJECTOR],
      env: {
        SLUICE_KUBERNETES: join(this.#folder, 'kubeconfig'),
        SLUICE_STATUS_SOCKET: statusSocket,
        SLUICE_WEBHOOK_PORT: String(PORTS.webhook),
        SLUICE_SIDECAR_IMAGE: 'sluice:test',
      },
      logFile: join(this.#folder, 'injector.log'),
    });
    this.#injector = id;
    await until('the injector serves', async () => (await askInjector(statusSocket)) !== undefined, START_MS);
  }

  async killInjector(): Promise<void> {
    if (this.#injector === undefined) return;
    signalProcess(this.#injector, 'SIGKILL');
    await waitGone([this.#injector]);
  }

  async close(): Promise<void> {
    await this.killInjector();
    await this.#api?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What `kubectl create` and the kubelet do. */
  async #createPod(pod: Manifest): Promise<ApiObject> {
    const created = await until(
      'the pod is created',
      () => this.api.create(pod).catch(() => undefined),
      START_MS,
    );
    await this.api.patch(pod, { status: pod.status }, 'status');
    const { namespace = '', name } = created.metadata;
    const token = await this.api.order({ do: 'token', namespace, pod: name, audience: 'sluice.dev' });
    writeFileSync(join(this.#folder, 'tokens', fileSlug(`${namespace}/${name}`)), String(token), {
      mode: 0o600,
    });
    return created;
  }

  async #publishCa(): Promise<void> {
    const metadata = { namespace: this.pods[0]?.metadata.namespace, name: 'sluice-ca' };
    const published = await this.api.find({ apiVersion: 'v1', kind: 'ConfigMap', metadata });
    const bundle = (published?.data as Record<string, string> | undefined)?.['ca.crt'];
    writeFileSync(join(this.#folder, 'ca.crt'), bundle ?? '');
  }
}
