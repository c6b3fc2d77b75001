/**
 * Keeps the certificates: reads what the replicas share, renews what is due, and says when something changed. Fails
 * static: while the API server is away, what there is stays in use.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { SluiceError } from '../../common/errors.ts';
import { whatFailed } from '../api/index.ts';
import type { CertificateAndKey, ServingCertificate } from '../doors/index.ts';
import { bundleOf, type CertificateSet, readCertificates, writeCertificates } from './certificate_set.ts';
import type { CertificateStore, StoredCertificates } from './certificate_store.ts';
import { CERTIFICATES_SECRET } from './names.ts';
import { renew } from './renewal.ts';

/** Replicas may go at it at the same time: one wins, the others read what it wrote. */
const WRITE_ATTEMPTS = 5;

/** What a keeper needs. */
export interface KeeperParts {
  readonly store: CertificateStore;
  /** DNS names of the serving certificate. */
  readonly names: readonly string[];
  readonly log: Logger;
  /** The clock, ms since the epoch; tests have their own. */
  readonly now?: () => number;
}

/** The certificates of this replica, in step with the others'. Its owner calls `check` from time to time. */
export class CertificateKeeper implements ServingCertificate {
  readonly #parts: KeeperParts;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #set: CertificateSet;

  private constructor(parts: KeeperParts, set: CertificateSet) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
    this.#set = set;
  }

  /** Reads the certificates, or makes the first ones. @throws SluiceError `CERTIFICATES_UNUSABLE` */
  static async open(parts: KeeperParts): Promise<CertificateKeeper> {
    return new CertificateKeeper(parts, await bringUpToDate(parts, undefined));
  }

  get current(): CertificateAndKey {
    return this.#set.serving;
  }

  /** All CAs that clients are to trust, PEM. */
  get bundle(): string {
    return bundleOf(this.#set);
  }

  /** When the serving certificate and the CA that lasts longest expire, ms since the epoch. */
  get expiresAtMs(): { readonly serving: number; readonly ca: number } {
    return {
      serving: this.#set.serving.notAfterMs,
      ca: Math.max(...this.#set.cas.map(({ notAfterMs }) => notAfterMs)),
    };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Renews what is due and takes in what another replica renewed. @throws SluiceError `CERTIFICATES_UNUSABLE` */
  async check(): Promise<void> {
    const set = await bringUpToDate({ ...this.#parts, now: this.#now }, this.#set);
    if (isDeepStrictEqual(set, this.#set)) return;
    this.#set = set;
    for (const listener of this.#listeners) listener();
  }
}

/** What the replicas share from now on. `known` is what this one has: it is put back where the Secret was lost. */
async function bringUpToDate(parts: KeeperParts, known: CertificateSet | undefined): Promise<CertificateSet> {
  const { store, names, log, now = Date.now } = parts;
  for (let attempt = 1; attempt <= WRITE_ATTEMPTS; attempt += 1) {
    const stored = await store.read().catch(failed);
    const shared = readStored(stored, log);
    const wanted = await renew(shared ?? known, names, now());
    if (wanted === shared) return wanted;
    if (await store.write(writeCertificates(wanted), stored).catch(failed)) {
      log.info(
        { cas: wanted.cas.length, serving_until: new Date(wanted.serving.notAfterMs).toISOString() },
        'certificates renewed',
      );
      return wanted;
    }
  }
  throw new SluiceError(
    'CERTIFICATES_UNUSABLE',
    `other replicas wrote ${WRITE_ATTEMPTS} times in between; trying again`,
  );
}

/** Undefined: there is nothing, or nothing of use. That is then replaced: without certificates nothing works. */
function readStored({ texts }: StoredCertificates, log: Logger): CertificateSet | undefined {
  try {
    return readCertificates(texts);
  } catch (err) {
    log.error({ err }, 'the certificates that are stored cannot be used: they are replaced');
    return undefined;
  }
}

function failed(cause: Error): never {
  throw new SluiceError(
    'CERTIFICATES_UNUSABLE',
    `the certificates cannot be read or written: the API server is asked, and ${whatFailed(cause)}; is it there, is the injector's Role bound, and is there a Secret ${CERTIFICATES_SECRET}? The manifests make it`,
    { cause },
  );
}
