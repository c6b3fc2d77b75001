/** Publishes the CA: to API servers by the webhook's `caBundle`, sidecars by a ConfigMap of their namespace. */
import {
  type AdmissionregistrationV1Api,
  type CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1ConfigMap,
} from '@kubernetes/client-node';
import { CA_CONFIG_MAP, CA_FILE } from '../../common/contract.ts';
import { CONFLICT, hasCause, hasCode, ifThere, within } from '../api/index.ts';
import { WEBHOOK_CONFIGURATION } from './names.ts';

const CALL_TIMEOUT_MS = 3_000; // an admission waits for it, 5 s in all

/** Others may write at the same time. */
const ATTEMPTS = 3;

/** How long a ConfigMap that was seen as it should be is taken for being so still, ms. */
const SEEN_MS = 10_000;

/** Where the publisher writes. */
export interface PublisherApis {
  readonly core: CoreV1Api;
  readonly admission: AdmissionregistrationV1Api;
}

/** Cause of a 403. Source: k8s.io/api core/v1, `NamespaceTerminatingCause`. */
const NAMESPACE_TERMINATING = 'NamespaceTerminating';

/** Writes the bundle where it is not what it should be. Each call asks the API server: what others undo is done again. */
export class CaPublisher {
  readonly #apis: PublisherApis;
  /** By namespace: which bundle was seen there, and when. */
  readonly #seen = new Map<string, { readonly bundle: string; readonly atMs: number }>();

  constructor(apis: PublisherApis) {
    this.#apis = apis;
  }

  /**
   * The namespace's ConfigMap holds `bundle`, unless the namespace is about to go: that takes nothing, and no pod either.
   * May be called for each pod that is admitted.
   * @throws ApiException or an error of the connection
   */
  async toNamespace(namespace: string, bundle: string): Promise<void> {
    const seen = this.#seen.get(namespace);
    if (seen?.bundle === bundle && performance.now() - seen.atMs < SEEN_MS) return;
    try {
      await untilNoConflict(() => this.#putConfigMap(namespace, { [CA_FILE]: bundle }));
    } catch (error) {
      if (hasCause(error, NAMESPACE_TERMINATING)) return;
      throw error;
    }
    this.#seen.set(namespace, { bundle, atMs: performance.now() });
  }

  /**
   * Every webhook of the injector's configuration trusts `bundle`. Without a configuration there is nothing to do.
   * @throws ApiException or an error of the connection
   */
  async toWebhooks(bundle: string): Promise<void> {
    const caBundle = Buffer.from(bundle).toString('base64');
    await untilNoConflict(async () => {
      const configuration = await ifThere(
        this.#apis.admission.readMutatingWebhookConfiguration(
          { name: WEBHOOK_CONFIGURATION },
          within(CALL_TIMEOUT_MS),
        ),
      );
      const changes = (configuration?.webhooks ?? []).flatMap(({ clientConfig }, index) =>
        clientConfig.caBundle === caBundle ? [] : [`/webhooks/${index}/clientConfig/caBundle`],
      );
      if (configuration === undefined || changes.length === 0) return;
      // The version that was read makes it a conflict when somebody changed the list in between.
      const version = configuration.metadata?.resourceVersion;
      const body = [
        { op: 'replace', path: '/metadata/resourceVersion', value: version },
        ...changes.map((path) => ({ op: 'add', path, value: caBundle })),
      ];
      await this.#apis.admission.patchMutatingWebhookConfiguration(
        { name: WEBHOOK_CONFIGURATION, body },
        setHeaderOptions('Content-Type', PatchStrategy.JsonPatch, within(CALL_TIMEOUT_MS)),
      );
    });
  }

  async #putConfigMap(namespace: string, data: Record<string, string>): Promise<void> {
    const { core } = this.#apis;
    const name = CA_CONFIG_MAP;
    const there = await ifThere(core.readNamespacedConfigMap({ namespace, name }, within(CALL_TIMEOUT_MS)));
    if (there === undefined) {
      const body: V1ConfigMap = { metadata: { namespace, name }, data };
      await core.createNamespacedConfigMap({ namespace, body }, within(CALL_TIMEOUT_MS));
      return;
    }
    if (there.data?.[CA_FILE] === data[CA_FILE]) return;
    const body: V1ConfigMap = { ...there, data };
    await core.replaceNamespacedConfigMap({ namespace, name, body }, within(CALL_TIMEOUT_MS));
  }
}

async function untilNoConflict(write: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await write();
    } catch (error) {
      if (!hasCode(error, CONFLICT) || attempt === ATTEMPTS) throw error;
    }
  }
}
