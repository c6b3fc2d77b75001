/** Certificates and tokens for tests: real certificates, and tokens that name their pod. */

import { SluiceError } from '../../../common/errors.ts';
import { issueCa, issueServing, type Validity } from '../../../injector/certificates/issue.ts';
import type { CertificateAndKey, ServingCertificate } from '../../../injector/doors/serving_certificate.ts';
import type { TokenAuthenticator, TokenVerdict } from '../../../injector/tokens/authenticator.ts';

/** What the certificates are for. */
export const SERVER_NAME = 'sluice-injector.sluice-system.svc';

const HOUR_MS = 3_600_000;

/** Valid now. */
export function validNow(): Validity {
  return { notBeforeMs: Date.now() - HOUR_MS, notAfterMs: Date.now() + HOUR_MS };
}

/** A serving certificate that a test may replace. */
export class TestCertificate implements ServingCertificate {
  readonly #listeners = new Set<() => void>();
  ca: CertificateAndKey;
  current: CertificateAndKey;

  private constructor(ca: CertificateAndKey, current: CertificateAndKey) {
    this.ca = ca;
    this.current = current;
  }

  static async make(): Promise<TestCertificate> {
    const ca = await issueCa(validNow());
    return new TestCertificate(ca, await issueServing(ca, [SERVER_NAME], validNow()));
  }

  /** Another certificate is shown from now on, of another CA where one is given. */
  async replace(change: { ca?: CertificateAndKey; validity?: Validity; names?: readonly string[] } = {}) {
    this.ca = change.ca ?? this.ca;
    const names = change.names ?? [SERVER_NAME];
    this.current = await issueServing(this.ca, names, change.validity ?? validNow());
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The token of a pod, `namespace/name`. The UID is what a manifest without one has, unless given. */
export function tokenOf(pod: string, uid = pod): string {
  return `token ${pod} ${uid}`;
}

/** Takes each token of `tokenOf` at its word. */
export class TestAuthenticator implements TokenAuthenticator {
  readonly asked: string[] = [];
  /** The API server is away. */
  away = false;

  async authenticate(token: string): Promise<TokenVerdict> {
    this.asked.push(token);
    if (this.away) throw new SluiceError('TOKEN_UNCHECKED', 'the API server does not answer');
    const [word, pod = '', uid = ''] = token.split(' ');
    const [namespace = '', name = ''] = pod.split('/');
    if (word !== 'token') return { verdict: 'refused', message: 'the token is not valid' };
    return { verdict: 'pod', pod: { namespace, name, uid } };
  }
}
