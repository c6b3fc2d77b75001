/** The service proxy of an API server, as Kubernetes 1.36 has it: the backend's certificate is not checked, and credentials are kept back. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { request } from 'node:https';
import { pipeline } from 'node:stream';

/** A request for a Service. */
export interface ProxyPlace {
  readonly namespace: string;
  /** As RBAC names it: `https:sluice-injector:operator`. */
  readonly id: string;
  readonly service: string;
  /** Name of the port. */
  readonly port: string;
  /** For the backend, with the query. */
  readonly path: string;
}

const PATH = /^\/api\/v1\/namespaces\/([^/]+)\/services\/(https:([^/:]+):([^/:?]+))\/proxy(\/.*)?$/;

/** Headers that the proxy keeps to itself. */
const KEPT = /^(authorization|x-remote-|impersonate-|connection|host)/;

/** What a URL asks the proxy for; undefined: it is none of the proxy's. */
export function readProxyPath(url: string): ProxyPlace | undefined {
  const [, namespace, id, service, port, path = '/'] = PATH.exec(url) ?? [];
  if (namespace === undefined || id === undefined || service === undefined || port === undefined)
    return undefined;
  return { namespace, id, service, port, path };
}

/** Passes the request on, and the answer back as it comes. Rejects where the backend does not answer. */
export function passOn(
  incoming: IncomingMessage,
  response: ServerResponse,
  backend: { readonly host: string; readonly port: number },
  path: string,
): Promise<void> {
  const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => !KEPT.test(name)));
  return new Promise((resolve, reject) => {
    const { method } = incoming;
    const asked = request({ ...backend, path, method, headers, rejectUnauthorized: false, agent: false });
    asked.on('error', reject);
    asked.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      response.flushHeaders();
      pipeline(answer, response, () => resolve());
    });
    response.on('close', () => asked.destroy());
    incoming.pipe(asked);
  });
}
