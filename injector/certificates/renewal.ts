/**
 * When certificates are renewed, and in which order: a new CA is trusted everywhere for a day before it signs anything,
 * and an old one is trusted until it expires. So no one ever meets a certificate whose CA it has not heard of.
 */
import { X509Certificate } from 'node:crypto';
import { type CertificateSet, type Issued, issued } from './certificate_set.ts';
import { issueCa, issueServing, type Validity } from './issue.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Clocks of nodes may be this far behind: certificates are valid from so much earlier. */
export const CLOCK_SKEW_MS = HOUR_MS;

/** A CA is valid for a year, so that changing it is something that happens, not something that once has to. */
export const CA_LIFE_MS = 365 * DAY_MS;

/** A new CA is made so long before the newest one expires: an injector may be away for weeks. */
export const CA_RENEW_MS = 120 * DAY_MS;

/** A new CA signs only after this time: kubelets bring it to running pods within minutes. */
export const CA_SETTLE_MS = DAY_MS;

/** A serving certificate is valid for a month. */
export const SERVING_LIFE_MS = 30 * DAY_MS;

/** It is replaced so long before it expires. */
export const SERVING_RENEW_MS = 10 * DAY_MS;

/**
 * What the certificates have to be at a time.
 * @param names DNS names of the serving certificate
 * @returns the same object when nothing is due
 */
export async function renew(
  set: CertificateSet | undefined,
  names: readonly string[],
  nowMs: number,
): Promise<CertificateSet> {
  const before = set?.cas ?? [];
  const kept = before.filter((ca) => ca.notAfterMs > nowMs);
  const newest = kept.at(-1);
  const last = newest !== undefined && newest.notAfterMs - nowMs > CA_RENEW_MS;
  const cas = last ? kept : [...kept, issued(await issueCa(validity(nowMs, CA_LIFE_MS)))];
  const signer = cas.findLast((ca) => isSettled(ca, nowMs)) ?? cas[0];
  if (signer === undefined) throw new Error('there is always a CA here');
  const serving =
    set !== undefined && fits(set.serving, signer, names, nowMs)
      ? set.serving
      : issued(await issueServing(signer, names, servingValidity(signer, nowMs)));
  const same = set !== undefined && serving === set.serving && cas.length === before.length && last;
  return same ? set : { cas, serving };
}

function validity(nowMs: number, lifeMs: number): Validity {
  return { notBeforeMs: nowMs - CLOCK_SKEW_MS, notAfterMs: nowMs + lifeMs };
}

/** Never longer than its CA. */
function servingValidity(signer: Issued, nowMs: number): Validity {
  const { notBeforeMs, notAfterMs } = validity(nowMs, SERVING_LIFE_MS);
  return { notBeforeMs, notAfterMs: Math.min(notAfterMs, signer.notAfterMs) };
}

function isSettled(ca: Issued, nowMs: number): boolean {
  return nowMs - (ca.notBeforeMs + CLOCK_SKEW_MS) >= CA_SETTLE_MS;
}

/** Whether a serving certificate may stay: signed by the CA whose turn it is, for these names, and not soon over. */
function fits(serving: Issued, signer: Issued, names: readonly string[], nowMs: number): boolean {
  // One that ends with its CA cannot be made to last longer by the same CA.
  const over = serving.notAfterMs - nowMs <= SERVING_RENEW_MS && serving.notAfterMs < signer.notAfterMs;
  if (over || serving.notAfterMs <= nowMs) return false;
  const certificate = new X509Certificate(serving.cert);
  const ca = new X509Certificate(signer.cert);
  return (
    certificate.subjectAltName === names.map((name) => `DNS:${name}`).join(', ') &&
    certificate.checkIssued(ca) &&
    certificate.verify(ca.publicKey)
  );
}
