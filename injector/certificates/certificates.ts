/** The injector's certificates, put together: made or read at the start, renewed, and published to those who verify them. */
import { AdmissionregistrationV1Api, CoreV1Api, type KubeConfig } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import { jittered } from '../../common/backoff.ts';
import { isEnabled } from '../admission/index.ts';
import type { ServingCertificate } from '../doors/index.ts';
import type { InjectorMetrics } from '../metrics.ts';
import type { ClusterSource } from '../source.ts';
import { CaPublisher } from './ca_publisher.ts';
import { CertificateKeeper } from './certificate_keeper.ts';
import { CertificateStore } from './certificate_store.ts';
import { servingNames } from './names.ts';

/** Time between checks, ms: what another replica renewed is in use here so soon. Up to the same again is jitter. */
const CHECK_MS = 60_000;

/** After a failure the next check comes sooner, ms, with the same jitter. */
const RECHECK_MS = 5_000;

const MS_PER_SECOND = 1000;

/** What the certificates need. */
export interface CertificateParts {
  readonly config: KubeConfig;
  /** The injector's own namespace. */
  readonly namespace: string;
  /** Says which namespaces are enabled. */
  readonly source: Pick<ClusterSource, 'cluster' | 'onChange'>;
  readonly metrics: Pick<InjectorMetrics, 'certificateExpiry'>;
  readonly log: Logger;
  /** Default a minute; tests shorten it. */
  readonly checkMs?: number;
  /** The clock, ms since the epoch; tests have their own. */
  readonly now?: () => number;
}

/** Certificates that keep themselves current until `close`. */
export interface Certificates {
  /** For the webhook's server and for that of tables. */
  readonly serving: ServingCertificate;
  /**
   * A pod of this namespace can start: the CA is there. Called before a pod is admitted.
   * @throws Error when it is not known to be there
   */
  ensureCa(namespace: string): Promise<void>;
  close(): void;
}

/**
 * Reads or makes the certificates and begins to publish the CA.
 * @throws SluiceError `CERTIFICATES_UNUSABLE` when there are none and none can be made
 */
export async function startCertificates(parts: CertificateParts): Promise<Certificates> {
  const { config, namespace, source, metrics, log, now = Date.now } = parts;
  const core = config.makeApiClient(CoreV1Api);
  const admission = config.makeApiClient(AdmissionregistrationV1Api);
  const keeper = await CertificateKeeper.open({
    store: new CertificateStore(core, namespace),
    names: servingNames(namespace),
    log,
    now,
  });
  const publisher = new CaPublisher({ core, admission });
  const checkMs = parts.checkMs ?? CHECK_MS;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  /** Returns whether all went well. What fails is logged and tried again: the CA is in use for a long time yet. */
  async function attempt(what: string, work: Promise<void>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (err) {
      if (!closed) log.error({ err }, `${what}; trying again`);
      return false;
    }
  }
  const publishTo = (name: string): Promise<boolean> =>
    attempt(`the CA is not published in namespace ${name}`, publisher.toNamespace(name, keeper.bundle));

  async function round(): Promise<void> {
    let well = await attempt('the certificates were not checked', keeper.check());
    for (const [certificate, atMs] of Object.entries(keeper.expiresAtMs))
      metrics.certificateExpiry.set({ certificate }, atMs / MS_PER_SECOND);
    well = (await attempt('the webhook does not get its CA', publisher.toWebhooks(keeper.bundle))) && well;
    for (const { name } of [...source.cluster.namespaces.values()].filter(isEnabled)) {
      if (closed) return;
      well = (await publishTo(name)) && well;
    }
    const waitMs = well ? checkMs : Math.min(RECHECK_MS, checkMs);
    if (!closed) timer = setTimeout(round, jittered(waitMs, 2 * waitMs));
  }

  const unsubscribe = source.onChange({
    clusterChanged(changes) {
      for (const { kind, object } of changes)
        if (kind === 'Namespace' && object !== undefined && isEnabled(object)) void publishTo(object.name);
    },
  });
  void round();
  return {
    serving: keeper,
    ensureCa: (name) => publisher.toNamespace(name, keeper.bundle),
    close() {
      closed = true;
      clearTimeout(timer);
      unsubscribe();
    },
  };
}
