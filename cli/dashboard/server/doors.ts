/**
 * Which requests are looked at at all. A page of another origin can make the user's browser connect to 127.0.0.1, and by DNS rebinding
 * under a name of its own: `Host` gives that away, `Origin` and `Sec-Fetch-Site` who asks.
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';

/** Why a request is refused. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}

/** What is looked at. */
export interface Asked {
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** Names under which the server may be asked. */
const NAMES = ['127.0.0.1', 'localhost'] as const;

/** Undefined: the request is the page's own, or that of a program of this machine. */
export function refusalOf({ method, headers }: Asked, port: number): Refusal | undefined {
  const { host, origin } = headers;
  if (!NAMES.some((name) => host === `${name}:${port}`))
    return { status: 421, text: `this server is http://127.0.0.1:${port} and no other` };
  const isWrite = method !== 'GET' && method !== 'HEAD';
  if ((origin !== undefined || isWrite) && origin !== `http://${host}`)
    return { status: 403, text: 'only the page itself may ask' };
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return { status: 403, text: 'only the page itself may ask' };
  return undefined;
}

/** On every answer. Scripts, styles and data come from the server itself; no text can become one of them. */
export const GUARDS: OutgoingHttpHeaders = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; " +
    "require-trusted-types-for 'script'; trusted-types sluice",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'cache-control': 'no-store',
};
