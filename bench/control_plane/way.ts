/** How the benchmark's sidecars reach its injector. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import type { Logger } from 'pino';
import { issueCa, issueServing } from '../../injector/certificates/index.ts';
import type { CertificateAndKey } from '../../injector/doors/index.ts';
import type { TableServer } from '../../injector/tables/index.ts';
import { startLocalServer, startTlsServer } from '../../injector/tables/index.ts';
import { type SidecarFrame, TABLE_SCHEMA, WIRE_PROTOCOLS } from '../../policy/index.ts';

/** The name in the injector's certificate. */
export const SERVER_NAME = 'sluice-injector.sluice-system.svc';
/** Where the injector listens. */
export const HOST = '127.0.0.1';
const HOUR_MS = 3_600_000;

/** A unix socket, or TLS with tokens that are taken at their word. Plain data: parent and child share it. */
export type Way =
  | { readonly kind: 'unix'; readonly path: string }
  | {
      readonly kind: 'tls';
      readonly port: number;
      readonly ca: string;
      readonly certificate: CertificateAndKey;
      /** Where the admission webhook is served; absent: nowhere. */
      readonly webhookPort?: number;
    };

/** A pod with a sidecar; `number` counts them. */
export interface SidecarPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly number: number;
}

/** TLS on loopback, with a certificate that injectors one after the other show. */
export async function tlsWay(
  port: number,
  webhookPort?: number,
): Promise<Extract<Way, { readonly kind: 'tls' }>> {
  const validity = { notBeforeMs: Date.now() - HOUR_MS, notAfterMs: Date.now() + HOUR_MS };
  const ca = await issueCa(validity);
  const certificate = await issueServing(ca, [SERVER_NAME], validity);
  const webhook = webhookPort === undefined ? {} : { webhookPort };
  return { kind: 'tls', port, ca: ca.cert, certificate, ...webhook };
}

/** The injector's end. */
export async function listenTo(way: Way, tables: TableServer, log: Logger): Promise<void> {
  if (way.kind === 'unix') {
    await startLocalServer(tables, way.path, log);
    return;
  }
  const certificate = { current: way.certificate, onChange: () => () => {} };
  const authenticator = {
    authenticate: async (token: string) => ({
      verdict: 'pod' as const,
      pod: JSON.parse(token) as SidecarPod,
    }),
  };
  await startTlsServer({ tables, authenticator, certificate, log }, { host: HOST, port: way.port });
}

/** By CA. To make one takes as long as a handshake; sidecars have processors of their own for that. */
const contexts = new Map<string, SecureContext>();

function contextOf(ca: string): SecureContext {
  const context = contexts.get(ca) ?? createSecureContext({ ca, minVersion: 'TLSv1.3' });
  contexts.set(ca, context);
  return context;
}

/** A sidecar's end. Over TLS each has an address of its own, as pods have: logins are bounded by address. */
export function dial(
  way: Way,
  pod: SidecarPod,
): { socket: Socket; ready: 'connect' | 'secureConnect'; hello: SidecarFrame } {
  const { namespace, name, number } = pod;
  const schema = TABLE_SCHEMA;
  if (way.kind === 'unix')
    return {
      socket: connect(way.path),
      ready: 'connect',
      hello: { type: 'hello', schema, namespace, pod: name },
    };
  const localAddress = `127.1.${number >> 8}.${number & 255}`;
  const to = { host: HOST, port: way.port, localAddress, servername: SERVER_NAME };
  return {
    socket: connectTls({ ...to, secureContext: contextOf(way.ca), ALPNProtocols: [...WIRE_PROTOCOLS] }),
    ready: 'secureConnect',
    hello: { type: 'token-hello', schema, token: JSON.stringify(pod) },
  };
}
