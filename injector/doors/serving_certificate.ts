/** The certificate that the injector's TLS servers show; it may be replaced while they serve. */
import type { Server } from 'node:tls';
import { TLS_GROUPS } from '../../common/tls_groups.ts';

/** A certificate chain and its key, PEM. */
export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
}

/** Where the certificate comes from. */
export interface ServingCertificate {
  readonly current: CertificateAndKey;
  /** Calls `listener` after `current` was replaced. Returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/**
 * What both TLS servers of the injector accept: every API server and every sidecar speaks TLS 1.3. The key exchange that a
 * quantum computer does not break comes first; API servers that do not know it take the next.
 */
export const TLS_FORM = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ecdhCurve: TLS_GROUPS,
} as const;

/** Has `server` show the certificate that is current at each handshake; connections that are up stay up. */
export function followCertificate(server: Server, certificate: ServingCertificate): void {
  const stop = certificate.onChange(() => server.setSecureContext({ ...certificate.current, ...TLS_FORM }));
  server.once('close', stop);
}
