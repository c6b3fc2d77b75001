/** One call of an admission webhook, the way an API server makes it: real TLS, verified with the caBundle and the service's name. */
import { request } from 'node:https';
import { ApiError } from './api_error.ts';
import { isRecord, type Json } from './api_object.ts';
import { typeFaults } from './openapi_types.ts';

/** `WebhookClientConfig.service.port` and `webhooks[].timeoutSeconds`, where they are absent. */
const DEFAULT_PORT = 443;
const DEFAULT_TIMEOUT_SECONDS = 10;
const MS_PER_SECOND = 1000;

/** Where a Service's backends listen; undefined: it has none. */
export type ServiceResolver = (
  namespace: string,
  name: string,
  port: number,
) => { readonly host: string; readonly port: number } | undefined;

/** What a webhook answered. */
export interface WebhookAnswer {
  readonly allowed: boolean;
  /** JSON patch. */
  readonly patch?: unknown;
  readonly message?: string;
  readonly code: number;
  readonly warnings: readonly string[];
}

/**
 * Sends an AdmissionReview.
 * @throws Error when the webhook cannot be reached, is not who it should be, is too slow, or answers nonsense
 */
export async function callWebhook(
  webhook: Json,
  review: Json,
  resolve: ServiceResolver,
): Promise<WebhookAnswer> {
  const seconds = Number(webhook.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS);
  const config = isRecord(webhook.clientConfig) ? webhook.clientConfig : {};
  const target = targetOf(config, resolve);
  const body = await post(target, caBundleOf(config), JSON.stringify(review), seconds);
  return readAnswer(JSON.parse(body), String((review.request as Json).uid));
}

interface Target {
  readonly host: string;
  readonly port: number;
  /** Name that the certificate must have. */
  readonly serverName: string;
  readonly path: string;
}

function targetOf(config: Json, resolve: ServiceResolver): Target {
  if (typeof config.url === 'string') {
    const url = new URL(config.url);
    return {
      host: url.hostname,
      port: Number(url.port) || DEFAULT_PORT,
      serverName: url.hostname,
      path: url.pathname,
    };
  }
  const { namespace, name, port = DEFAULT_PORT, path = '/' } = config.service as Json;
  const found = resolve(String(namespace), String(name), Number(port));
  if (found === undefined) throw new Error(`no endpoints available for service "${name}"`);
  return { ...found, serverName: `${name}.${namespace}.svc`, path: String(path) };
}

function caBundleOf(config: Json): string {
  return Buffer.from(String(config.caBundle ?? ''), 'base64').toString();
}

function post(target: Target, ca: string, body: string, seconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({
      host: target.host,
      port: target.port,
      servername: target.serverName,
      path: `${target.path}?timeout=${seconds}s`,
      method: 'POST',
      ca,
      agent: false, // a new connection: the certificate is verified each time
      signal: AbortSignal.timeout(seconds * MS_PER_SECOND),
      headers: {
        host: target.serverName,
        'content-type': 'application/json',
        accept: 'application/json, */*',
        'content-length': Buffer.byteLength(body),
      },
    });
    asked.on('error', reject);
    asked.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`the server responded with ${response.statusCode}: ${text.trim()}`));
      });
    });
    asked.end(body);
  });
}

/** Checks the answer as strictly as an API server does. */
function readAnswer(review: unknown, uid: string): WebhookAnswer {
  if (!isRecord(review) || review.kind !== 'AdmissionReview' || review.apiVersion !== 'admission.k8s.io/v1')
    throw new Error('expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview');
  const { response } = review;
  if (!isRecord(response)) throw new Error('webhook response was absent');
  if (response.uid !== uid)
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid)}`);
  if (typeof response.allowed !== 'boolean') throw new Error('webhook response.allowed wants true or false');
  const faults = typeFaults(response.status, 'V1Status', 'response.status');
  if (faults.length > 0) throw new Error(faults.join('; '));
  const status = isRecord(response.status) ? response.status : {};
  const answer = {
    allowed: response.allowed,
    code: Number(status.code ?? 403),
    ...(status.message === undefined ? {} : { message: String(status.message) }),
    warnings: Array.isArray(response.warnings) ? response.warnings.map(String) : [],
  };
  if (response.patch === undefined) return answer;
  if (response.patchType !== 'JSONPatch')
    throw new Error('webhook returned response.patch but not response.patchType');
  return { ...answer, patch: JSON.parse(Buffer.from(String(response.patch), 'base64').toString()) };
}

/** The refusal of a request by a webhook. */
export function denied(name: unknown, { message, code }: WebhookAnswer): ApiError {
  const why = message === undefined ? ' without explanation' : `: ${message}`;
  return new ApiError(code, 'Forbidden', `admission webhook "${name}" denied the request${why}`);
}
