/** What is decided of one request: the review that answers it, with what it needs done, counted and logged. */
import type { Logger } from 'pino';
import { messageOf } from '../../../common/errno.ts';
import { HttpProblem, parseJson, type ServingCertificate, short } from '../../doors/index.ts';
import type { InjectorMetrics } from '../../metrics.ts';
import type { ClusterSource } from '../../source.ts';
import { isEnabled } from '../annotations/index.ts';
import type { InjectionConfig } from '../injection/index.ts';
import { podSecurityLevel } from '../privileges/index.ts';
import { MAX_VALUES } from './request.ts';
import { type AdmissionAnswer, type AdmissionRequest, answerReview, parseReview, unable } from './review.ts';

/** What the webhook decides on. */
export interface WebhookParts {
  readonly source: ClusterSource;
  /** Read at each request; undefined while sidecars have no address for the injector. */
  readonly config: () => InjectionConfig | undefined;
  readonly certificate: ServingCertificate;
  /** Puts into the namespace what its sidecars mount: the CA. Called for each pod that is injected in an enabled one; not for rehearsals. */
  readonly prepareNamespace: (namespace: string) => Promise<void>;
  readonly metrics: InjectorMetrics;
  readonly log: Logger;
}

/**
 * The review that answers a body.
 * @throws HttpProblem when it is no review of a new pod
 */
export async function reviewed(parts: WebhookParts, body: Buffer): Promise<unknown> {
  const review = parseReview(parseJson(body, MAX_VALUES));
  if (!review.ok)
    throw new HttpProblem(
      400,
      `no AdmissionReview v1 of a new pod: ${review.errors.map(({ path: field, message }) => `${field}: ${message}`).join('; ')}`,
    );
  const end = parts.metrics.admissionSeconds.startTimer();
  const decision = await decide(parts, review.object);
  end();
  record(parts, review.object, decision);
  return decision.review;
}

async function decide(parts: WebhookParts, request: AdmissionRequest): Promise<AdmissionAnswer> {
  const namespace = parts.source.cluster.namespaces.get(request.namespace);
  // A namespace that is too new to be known allows nothing.
  const level = podSecurityLevel(namespace?.labels ?? {});
  const decision = answerReview(request, namespace?.annotations ?? {}, parts.config(), level);
  const needsCa = decision.outcome === 'injected' || decision.outcome === 'unchanged';
  if (!needsCa || request.dryRun) return decision;
  // Anybody can ask, under names that he makes up: where sidecars are not known to be wanted, nothing is written. A namespace
  // that has just been made or enabled gets the CA once that is known.
  if (namespace === undefined || !isEnabled(namespace)) return decision;
  try {
    await parts.prepareNamespace(request.namespace);
    return decision;
  } catch (error) {
    return unable(request, `the namespace cannot be given the CA: ${messageOf(error)}`);
  }
}

/** One line and one count for each pod. */
function record({ metrics, log }: WebhookParts, request: AdmissionRequest, decision: AdmissionAnswer): void {
  const { outcome, message } = decision;
  metrics.admissions.inc({ outcome });
  const { namespace, name, uid } = request;
  const said = {
    namespace: short(namespace),
    pod: short(name),
    request: short(uid),
    outcome,
    ...(message === '' ? {} : { reason: short(message) }),
  };
  if (outcome === 'refused' || outcome === 'error' || outcome === 'opted-out')
    log.warn(said, 'pod not injected');
  else log.info(said, 'pod admitted');
}
