import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  bundleOf,
  type CertificateSet,
  readCertificates,
  writeCertificates,
} from '../../../../injector/certificates/certificate_set.ts';
import {
  CA_LIFE_MS,
  CA_RENEW_MS,
  CA_SETTLE_MS,
  CLOCK_SKEW_MS,
  renew,
  SERVING_LIFE_MS,
  SERVING_RENEW_MS,
} from '../../../../injector/certificates/renewal.ts';

const NAMES = ['sluice-injector.sluice-system.svc', 'sluice-injector.sluice-system.svc.cluster.local'];
const DAY_MS = 24 * 3_600_000;
const START_MS = Date.UTC(2030, 0, 1);

/** Which of the set's CAs signed its serving certificate: 0 is the oldest. */
function signerOf({ cas, serving }: CertificateSet): number {
  const certificate = new X509Certificate(serving.cert);
  return cas.findIndex(({ cert }) => certificate.verify(new X509Certificate(cert).publicKey));
}

test('the first CA signs at once, and nothing changes until something is due', async () => {
  const first = await renew(undefined, NAMES, START_MS);
  expect(first.cas).toHaveLength(1);
  expect(signerOf(first)).toBe(0);
  expect(first.cas[0]).toMatchObject({
    notBeforeMs: START_MS - CLOCK_SKEW_MS,
    notAfterMs: START_MS + CA_LIFE_MS,
  });
  expect(first.serving.notAfterMs).toBe(START_MS + SERVING_LIFE_MS);
  expect(new X509Certificate(first.serving.cert).checkHost(NAMES[0] ?? '')).toBe(NAMES[0]);
  const later = START_MS + SERVING_LIFE_MS - SERVING_RENEW_MS - 1_000;
  expect(await renew(first, NAMES, later)).toBe(first);
});

test('a serving certificate is replaced in time, by the same CA, and when its names change', async () => {
  const first = await renew(undefined, NAMES, START_MS);
  const next = await renew(first, NAMES, START_MS + SERVING_LIFE_MS - SERVING_RENEW_MS);
  expect(next.serving.cert).not.toBe(first.serving.cert);
  expect(next.cas).toEqual(first.cas);
  const renamed = await renew(next, ['other.svc'], START_MS);
  expect(new X509Certificate(renamed.serving.cert).subjectAltName).toBe('DNS:other.svc');
});

test('a new CA is trusted for a day before it signs, the old one until it expires', async () => {
  const first = await renew(undefined, NAMES, START_MS);
  const dueMs = START_MS + CA_LIFE_MS - CA_RENEW_MS;
  const both = await renew(first, NAMES, dueMs);
  expect(both.cas).toHaveLength(2);
  expect(signerOf(both)).toBe(0);
  expect(bundleOf(both)).toBe(`${first.cas[0]?.cert}${both.cas[1]?.cert}`);
  expect(signerOf(await renew(both, NAMES, dueMs + CA_SETTLE_MS - 1_000))).toBe(0);
  const changed = await renew(both, NAMES, dueMs + CA_SETTLE_MS);
  expect(signerOf(changed)).toBe(1);
  expect(changed.cas).toEqual(both.cas);
  const alone = await renew(changed, NAMES, START_MS + CA_LIFE_MS);
  expect(alone.cas).toEqual([both.cas[1]]);
  expect(signerOf(alone)).toBe(0);
});

test('over four years no one ever meets a certificate of a CA that was not trusted a day before', async () => {
  let set = await renew(undefined, NAMES, START_MS);
  let changes = 0;
  for (let nowMs = START_MS; nowMs < START_MS + 4 * 365 * DAY_MS; nowMs += DAY_MS) {
    const next = await renew(set, NAMES, nowMs);
    expect(next.serving.notAfterMs).toBeGreaterThan(nowMs + DAY_MS);
    if (next === set) continue;
    changes += 1;
    const serving = new X509Certificate(next.serving.cert);
    // `set` is what everybody has heard of since the day before.
    expect(set.cas.some(({ cert }) => serving.verify(new X509Certificate(cert).publicKey))).toBe(true);
    expect(next.cas.length).toBeLessThanOrEqual(2);
    set = next;
  }
  expect(changes).toBeGreaterThan(4 * 12);
  expect(set.cas[0]?.notBeforeMs).toBeGreaterThan(START_MS + 2 * 365 * DAY_MS);
});

test('after months without any injector there are new certificates at once', async () => {
  const first = await renew(undefined, NAMES, START_MS);
  const late = await renew(first, NAMES, START_MS + 2 * CA_LIFE_MS);
  expect(late.cas).toHaveLength(1);
  expect(signerOf(late)).toBe(0);
});

test('a serving certificate of a foreign CA does not stay', async () => {
  const [ours, foreign] = [await renew(undefined, NAMES, START_MS), await renew(undefined, NAMES, START_MS)];
  const mended = await renew({ cas: ours.cas, serving: foreign.serving }, NAMES, START_MS);
  expect(signerOf(mended)).toBe(0);
});

test('certificates come back from a Secret as they went in', async () => {
  const set = await renew(
    await renew(undefined, NAMES, START_MS),
    NAMES,
    START_MS + CA_LIFE_MS - CA_RENEW_MS,
  );
  expect(set.cas).toHaveLength(2);
  expect(readCertificates(writeCertificates(set))).toEqual(set);
  expect(readCertificates({})).toBeUndefined();
});

test.each<[string, (texts: Record<string, string>) => Record<string, string>]>([
  ['lacks a key', ({ 'ca.key': _, ...rest }) => rest],
  ['is cut off', (texts) => ({ ...texts, 'tls.crt': (texts['tls.crt'] ?? '').slice(0, 200) })],
  ['mixes up keys', (texts) => ({ ...texts, 'tls.key': texts['ca.key'] ?? '' })],
  ['is nonsense', () => ({ 'ca.crt': 'x', 'ca.key': 'y', 'tls.crt': 'z', 'tls.key': '' })],
])('a Secret that %s is refused whole', async (_what, spoil) => {
  const texts = { ...writeCertificates(await renew(undefined, NAMES, START_MS)) };
  expect(() => readCertificates(spoil(texts))).toThrow(
    expect.objectContaining({
      code: 'CERTIFICATES_UNUSABLE',
      message: expect.stringContaining('sluice-certificates'),
    }),
  );
});
