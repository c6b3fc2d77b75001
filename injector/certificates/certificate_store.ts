/** The Secret that all replicas keep certificates in. Its resourceVersion decides who writes. */
import type { CoreV1Api, V1Secret } from '@kubernetes/client-node';
import { CONFLICT, hasCode, ifThere, NOT_FOUND, within } from '../api/index.ts';
import type { SecretTexts } from './certificate_set.ts';
import { CERTIFICATES_SECRET } from './names.ts';

const CALL_TIMEOUT_MS = 10_000;

/** What was there. */
export interface StoredCertificates {
  readonly texts: SecretTexts;
  /** Absent: there is no Secret. */
  readonly secret?: V1Secret;
}

/** Reads and writes one Secret. */
export class CertificateStore {
  readonly #api: CoreV1Api;
  readonly #namespace: string;

  /** @param namespace the injector's own */
  constructor(api: CoreV1Api, namespace: string) {
    this.#api = api;
    this.#namespace = namespace;
  }

  /** @throws ApiException or an error of the connection */
  async read(): Promise<StoredCertificates> {
    const secret = await ifThere(
      this.#api.readNamespacedSecret(
        { namespace: this.#namespace, name: CERTIFICATES_SECRET },
        within(CALL_TIMEOUT_MS),
      ),
    );
    if (secret === undefined) return { texts: {} };
    return {
      texts: mapValues(secret.data ?? {}, (value) => Buffer.from(value, 'base64').toString()),
      secret,
    };
  }

  /**
   * Puts `texts` in the place of what was read.
   * @returns false when another replica was faster: what it wrote is to be read
   * @throws ApiException or an error of the connection
   */
  async write(texts: SecretTexts, { secret }: StoredCertificates): Promise<boolean> {
    const data = mapValues(texts, (value) => Buffer.from(value).toString('base64'));
    const namespace = this.#namespace;
    const name = CERTIFICATES_SECRET;
    try {
      if (secret === undefined) {
        // The manifests make it, and give no right to; an injector that runs elsewhere may have it.
        const body: V1Secret = { metadata: { namespace, name }, type: 'Opaque', data };
        await this.#api.createNamespacedSecret({ namespace, body }, within(CALL_TIMEOUT_MS));
      } else {
        // With the resourceVersion that was read: any other is a conflict.
        const body: V1Secret = { ...secret, data };
        await this.#api.replaceNamespacedSecret({ namespace, name, body }, within(CALL_TIMEOUT_MS));
      }
      return true;
    } catch (error) {
      if (hasCode(error, CONFLICT) || hasCode(error, NOT_FOUND)) return false;
      throw error;
    }
  }
}

function mapValues(texts: SecretTexts, change: (value: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([key, value]) => [key, change(value)]));
}
