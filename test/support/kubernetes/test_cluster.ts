/**
 * An API server under test, the double or a real one, and what a test makes in it: everything has a name of its own,
 * carries the label `sluice.dev/test`, and is deleted at the end.
 */
import { randomBytes } from 'node:crypto';
import { type KubeConfig, type KubernetesObject, KubernetesObjectApi } from '@kubernetes/client-node';
import { vi } from 'vitest';

/** Marks what tests have made: what an earlier run has left behind is found by it. */
export const TEST_LABEL = 'sluice.dev/test';

/** A pod that nobody schedules, so that its status stays as it is. */
const NOBODY = 'sluice-test-nobody';

/** How long a cluster may take until something that was written has an effect, milliseconds. */
const SETTLE_MS = 30_000;

type Texts = Readonly<Record<string, string>>;

/** How to reach an API server, and how it reaches back. */
export interface Access {
  /** May do everything. */
  readonly config: KubeConfig;
  /** Address at which the API server reaches servers of this process. */
  readonly host: string;
  /** Ends the API server, where it is the test's own. */
  readonly close?: () => Promise<void>;
}

export class TestCluster {
  readonly config: KubeConfig;
  readonly host: string;
  /** Distinguishes what this test makes from what others make. */
  readonly id = randomBytes(4).toString('hex');
  readonly objects: KubernetesObjectApi;
  readonly #made: KubernetesObject[] = [];
  readonly #end: Access['close'];

  constructor({ config, host, close }: Access) {
    this.#end = close;
    this.config = config;
    this.host = host;
    this.objects = KubernetesObjectApi.makeApiClient(config);
  }

  /** Makes a namespace in which pods can be created; returns its name. */
  async namespace(labels: Texts = {}, annotations: Texts = {}): Promise<string> {
    const name = `sluice-test-${this.id}-${this.#made.length}`;
    await this.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { ...labels }, annotations: { ...annotations } },
    });
    const account = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace: name },
    };
    await settled(() => this.objects.read(account)); // pods need it; a controller makes it
    return name;
  }

  /** Creates an object that goes when the test ends. */
  async create<T extends KubernetesObject>(object: T): Promise<T> {
    const labels = { ...object.metadata?.labels, [TEST_LABEL]: this.id };
    const created = await this.objects.create({ ...object, metadata: { ...object.metadata, labels } });
    this.#made.push(created);
    return created;
  }

  /** Deletes all that the test has made; not waiting for namespaces to be empty. */
  async close(): Promise<void> {
    for (const object of this.#made.splice(0).reverse())
      await this.objects.delete(object, undefined, undefined, 0).catch(ignoreMissing);
    await this.#end?.();
  }
}

/** Waits until `attempt` succeeds: webhooks and admission policies come into force a moment after they are written. */
export function settled<T>(attempt: () => Promise<T>): Promise<T> {
  return vi.waitFor(attempt, { timeout: SETTLE_MS, interval: 100 });
}

/** A pod that is never scheduled. */
export function idlePod(namespace: string, name: string, labels: Texts = {}) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels: { ...labels } },
    spec: { schedulerName: NOBODY, containers: [{ name: 'app', image: 'app' }] },
  };
}

function ignoreMissing(error: unknown): void {
  if ((error as { code?: number }).code !== 404) throw error;
}
