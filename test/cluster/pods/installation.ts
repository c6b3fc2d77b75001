/** Sluice, installed in the cluster as its overlay has it, with the image under test; gone at the end. */
import {
  AppsV1Api,
  CoreV1Api,
  type KubernetesObject,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node';
import { kustomize, type Rendered } from '../../manifests/render.ts';
import { settled, type TestCluster } from '../../support/kubernetes/test_cluster.ts';

const NAMESPACE = 'sluice-system';
const DEPLOYMENT = { name: 'sluice-injector', namespace: NAMESPACE };

/** The image that SLUICE_TEST_IMAGE names; nodes have it, or can pull it. */
export function testImage(): string {
  const image = process.env.SLUICE_TEST_IMAGE;
  if (image === undefined)
    throw new Error('SLUICE_TEST_IMAGE is not set: it names the image of Sluice to test');
  return image;
}

export class Installation {
  readonly #apps: AppsV1Api;
  readonly #core: CoreV1Api;

  private constructor(cluster: TestCluster) {
    this.#core = cluster.config.makeApiClient(CoreV1Api);
    this.#apps = cluster.config.makeApiClient(AppsV1Api);
  }

  /** Installs, as `kubectl apply -k` does, and waits until the injector is ready. */
  static async create(cluster: TestCluster): Promise<Installation> {
    const objects = await kustomize('manifests/overlays/default');
    // The namespace first: it fails where Sluice is installed already, and then nothing else is touched.
    const first = ({ kind }: Rendered) => (kind === 'Namespace' ? 0 : 1);
    const ordered = [...objects].sort((a, b) => first(a) - first(b));
    for (const object of ordered) await settled(() => cluster.create(withImage(object) as KubernetesObject));
    const installation = new Installation(cluster);
    await installation.ready();
    return installation;
  }

  /** Waits until one injector is ready. */
  async ready(): Promise<void> {
    await settled(async () => {
      const { status } = await this.#apps.readNamespacedDeployment(DEPLOYMENT);
      if (status?.readyReplicas !== 1) throw new Error('the injector is not ready');
    });
  }

  /** Ends the injector and keeps it away. */
  async takeAway(): Promise<void> {
    await this.#scale(0);
    await settled(async () => {
      const { status } = await this.#apps.readNamespacedDeployment(DEPLOYMENT);
      if ((status?.replicas ?? 0) > 0 || (status?.terminatingReplicas ?? 0) > 0)
        throw new Error('the injector is still there');
    });
  }

  /** Starts an injector that knows nothing, and waits until it is ready. */
  async bringBack(): Promise<void> {
    await this.#scale(1);
    await this.ready();
  }

  /** What the injectors have logged that run now, line by line. */
  async log(): Promise<readonly string[]> {
    const labelSelector = 'app.kubernetes.io/component=injector';
    const { items } = await this.#core.listNamespacedPod({ namespace: NAMESPACE, labelSelector });
    const texts = items.map(({ metadata }) =>
      this.#core.readNamespacedPodLog({ name: metadata?.name ?? '', namespace: NAMESPACE }),
    );
    return (await Promise.all(texts)).flatMap((text) => text.trim().split('\n'));
  }

  #scale(replicas: number): Promise<unknown> {
    return this.#apps.patchNamespacedDeployment(
      { ...DEPLOYMENT, body: { spec: { replicas } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
  }
}

/** The object with the image under test in place of the released one, in containers and settings alike. */
function withImage(object: Rendered): Rendered {
  const image = JSON.stringify(testImage());
  return JSON.parse(JSON.stringify(object).replaceAll(/"sluice:[\d.]+"/g, image));
}
