/** All certificates of an installation, and their form in a Secret. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { messageOf } from '../../common/errno.ts';
import { SluiceError } from '../../common/errors.ts';
import type { CertificateAndKey } from '../doors/index.ts';
import { type Validity, validityOf } from './issue.ts';
import { CERTIFICATES_SECRET, SECRET_KEYS } from './names.ts';

/** A certificate, its key, and from when to when it is valid. */
export interface Issued extends CertificateAndKey, Validity {}

/** What all replicas share. */
export interface CertificateSet {
  /** Oldest first, at least one. All of them are trusted. */
  readonly cas: readonly Issued[];
  readonly serving: Issued;
}

/** Values of a Secret, by key, decoded. */
export type SecretTexts = Readonly<Record<string, string>>;

const BLOCK = /-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----\n?/g;

/** The CA certificates as one PEM text: what clients trust. */
export function bundleOf({ cas }: CertificateSet): string {
  return cas.map(({ cert }) => cert).join('');
}

/** A certificate with its validity. @throws Error when it is no certificate, or the key is another's */
export function issued({ cert, key }: CertificateAndKey): Issued {
  const certificate = new X509Certificate(cert);
  if (!certificate.checkPrivateKey(createPrivateKey(key)))
    throw new Error('a key is not that of its certificate');
  return { cert, key, ...validityOf(certificate) };
}

/** @throws SluiceError `CERTIFICATES_UNUSABLE`; undefined when the Secret holds nothing yet, as when a manifest made it */
export function readCertificates(texts: SecretTexts): CertificateSet | undefined {
  const values = Object.values(SECRET_KEYS).map((key) => texts[key] ?? '');
  if (values.every((value) => value === '')) return undefined;
  try {
    const [cas = [], caKeys = [], [cert = ''] = [], [key = ''] = []] = values.map(
      (value) => value.match(BLOCK) ?? [],
    );
    if (cas.length === 0 || cas.length !== caKeys.length)
      throw new Error(`${cas.length} CA certificates and ${caKeys.length} keys`);
    return {
      cas: cas.map((ca, index) => issued({ cert: ca, key: caKeys[index] ?? '' })),
      serving: issued({ cert, key }),
    };
  } catch (cause) {
    const why = messageOf(cause);
    throw new SluiceError('CERTIFICATES_UNUSABLE', `Secret ${CERTIFICATES_SECRET} cannot be used: ${why}`, {
      cause,
    });
  }
}

/** The reverse of `readCertificates`. */
export function writeCertificates({ cas, serving }: CertificateSet): SecretTexts {
  return {
    [SECRET_KEYS.cas]: cas.map(({ cert }) => cert).join(''),
    [SECRET_KEYS.caKeys]: cas.map(({ key }) => key).join(''),
    [SECRET_KEYS.serving]: serving.cert,
    [SECRET_KEYS.servingKey]: serving.key,
  };
}
