/** The certificate that the injector's TLS servers show; it may be replaced while they serve. */
import type { Server } from 'node:tls';

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

/** What both TLS servers of the injector accept: every API server and every sidecar speaks TLS 1.3. */
export const TLS_VERSION = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const;

/** Has `server` show the certificate that is current at each handshake; connections that are up stay up. */
export function followCertificate(server: Server, certificate: ServingCertificate): void {
  const stop = certificate.onChange(() =>
    server.setSecureContext({ ...certificate.current, ...TLS_VERSION }),
  );
  server.once('close', stop);
}
