/**
 * TLS to the injector: the sidecar checks the injector's certificate, and shows the pod's service-account token. Both
 * the token and the CA certificates are read again for each connection: the kubelet renews the files while the pod runs.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { SluiceError } from '../../common/errors.ts';
import { TLS_GROUPS } from '../../common/tls_groups.ts';
import type { Sockets } from '../../native/index.ts';
import { familyOf, WIRE_PROTOCOLS, wireVersion } from '../../policy/index.ts';
import { INJECTOR_MARK } from '../kernel/index.ts';
import { askedFields, type Transport } from './transport.ts';

/** The injector, and where the files are. */
export interface TlsSource {
  /** An IP address: a pod that policy does not allow to resolve names gets its tables all the same. */
  readonly host: string;
  readonly port: number;
  /** Name that the injector's certificate must have. */
  readonly serverName: string;
  readonly tokenFile: string;
  /** PEM; one or more CA certificates. */
  readonly caFile: string;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Connects over TLS 1.3 only. Fails closed: no token is shown to a server whose certificate does not verify.
 * @param sockets makes the connection one that the gate lets by; absent: there is no gate
 */
export function tlsTransport(source: TlsSource, sockets?: Pick<Sockets, 'openMarked'>): Transport {
  return {
    dial(asked) {
      const token = read(source.tokenFile, 'is the token volume mounted?').trim();
      if (token === '') throw unusable(source.tokenFile, 'is empty: is the token volume mounted?');
      const ca = trusted(source.caFile);
      const socket = tls.connect({
        socket: connectTcp(source, sockets),
        servername: source.serverName,
        ca,
        minVersion: 'TLSv1.3',
        ecdhCurve: TLS_GROUPS,
        ALPNProtocols: [...WIRE_PROTOCOLS],
        rejectUnauthorized: true, // NODE_TLS_REJECT_UNAUTHORIZED=0 must not switch it off
      });
      socket.setNoDelay();
      return {
        socket,
        ready: 'secureConnect',
        hello: { type: 'token-hello', ...askedFields(asked), token },
        wire: () => wireVersion(socket.alpnProtocol),
      };
    },
    explain(error) {
      const advice = ADVICE[error.code ?? '']?.(source);
      return advice === undefined ? error.message : `${error.message} (${error.code}): ${advice}`;
    },
  };
}

function connectTcp({ host, port }: TlsSource, sockets: Pick<Sockets, 'openMarked'> | undefined): net.Socket {
  if (sockets === undefined) return net.connect({ host, port });
  const fd = sockets.openMarked(familyOf(host), INJECTOR_MARK);
  const options: net.SocketConstructorOpts & { manualStart: boolean } = { fd, manualStart: true };
  return new net.Socket(options).connect({ host, port });
}

const FOREIGN = ({ caFile }: TlsSource): string =>
  `no CA of ${caFile} has signed the injector's certificate: does another program answer, or is the CA bundle old?`;
const CLOCK = (): string => 'check the clocks of both nodes, and that the injector renews its certificate';

/** What to do about a certificate that does not verify. Source: tls.md of Node, "X509 certificate error codes". */
const ADVICE: Readonly<Record<string, (source: TlsSource) => string>> = {
  CERT_HAS_EXPIRED: CLOCK,
  CERT_NOT_YET_VALID: CLOCK,
  DEPTH_ZERO_SELF_SIGNED_CERT: FOREIGN,
  ERR_TLS_CERT_ALTNAME_INVALID: () => "is SLUICE_INJECTOR_NAME the name of the injector's Service?",
  SELF_SIGNED_CERT_IN_CHAIN: FOREIGN,
  UNABLE_TO_GET_ISSUER_CERT: FOREIGN,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: FOREIGN,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: FOREIGN,
};

/** The certificates of a PEM file. Never none: Node would then trust the public CAs. */
function trusted(file: string): string[] {
  const pems = read(file, 'is the CA volume mounted?').match(CERTIFICATE) ?? [];
  try {
    for (const pem of pems) new X509Certificate(pem);
  } catch (cause) {
    throw unusable(file, 'holds a certificate that cannot be read', cause);
  }
  if (pems.length === 0) throw unusable(file, 'holds no certificate: has the injector published its CA?');
  return pems;
}

function read(file: string, advice: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw unusable(file, `cannot be read: ${advice}`, cause);
  }
}

function unusable(file: string, what: string, cause?: unknown): SluiceError {
  return new SluiceError('CREDENTIALS_UNUSABLE', `${file} ${what}`, { cause });
}
