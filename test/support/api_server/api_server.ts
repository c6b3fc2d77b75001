/**
 * A test double of the Kubernetes API server: HTTPS with a CA of its own and bearer tokens; lists in pages, watches,
 * writes with conflicts, admission by webhook, tokens of service accounts. It speaks what the tests need and refuses the
 * rest; what it stores is checked against the published types. A test can order faults.
 *
 *   const api = await ApiServer.start();
 *   await api.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
 *   const config = new KubeConfig(); config.loadFromOptions(api.kubeconfig());
 */

import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { unreachable } from '../../../common/errors.ts';
import { ADMIN, Api, isConnected, type WriteOptions } from './api.ts';
import { ApiError, badRequest, expired, unauthorized } from './api_error.ts';
import { type ApiObject, isRecord, type Json } from './api_object.ts';
import { type Authority, createAuthority } from './certificates.ts';
import { discover } from './discovery.ts';
import { drained } from './drained.ts';
import { type FaultAction, Faults } from './faults.ts';
import { type Place, readPath } from './request_path.ts';
import { ACCESS_REVIEW, resourceOfKind, SELF_REVIEW, TOKEN_REVIEW } from './resources.ts';
import { type ProxyPlace, passOn, readProxyPath } from './service_proxy.ts';
import type { UserInfo } from './tokens.ts';
import { OpenWatch, type WatchLists } from './watch.ts';
import type { ServiceResolver } from './webhook_call.ts';

/** Lists of more objects are sent as they are read: they may be longer than a string can be. */
const MAX_LIST_AT_ONCE = 1_000;

/** Largest body that is read, bytes: as etcd bounds objects. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** How a double is set up. */
export interface ApiServerOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default: any. */
  readonly port?: number;
  /** Where Services that webhooks name are served; asked before the EndpointSlices that are stored. */
  readonly services?: ServiceResolver;
  /** Whether it streams lists; default `served`. Older servers do not. */
  readonly watchLists?: WatchLists;
  /** May this user do this? Default: everybody who is known may do everything. */
  readonly authorize?: (user: UserInfo, verb: string, place: Place) => boolean;
}

/** A request that came in: for tests of what is asked how often. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly user: string;
}

export class ApiServer {
  readonly api: Api;
  readonly faults = new Faults();
  /** Every request that was authenticated, oldest first. */
  readonly requests: SeenRequest[] = [];
  /** What containers have logged, by `NAMESPACE/POD/CONTAINER`; of others there is no log. */
  readonly logs = new Map<string, string>();
  /** PEM of the CA that signed the server's certificate. */
  readonly ca: string;
  /** A token that may do everything. */
  readonly adminToken: string;
  readonly #server: Server;
  readonly #options: ApiServerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<OpenWatch>();
  #port: number;

  /** Starts to listen. */
  static async start(options: ApiServerOptions = {}): Promise<ApiServer> {
    const authority = await createAuthority();
    const names = ['localhost', '127.0.0.1', 'kubernetes.default.svc', options.host ?? '127.0.0.1'];
    const server = new ApiServer(authority, await authority.issue([...new Set(names)]), options);
    await server.comeBack();
    return server;
  }

  private constructor(authority: Authority, pair: { key: string; cert: string }, options: ApiServerOptions) {
    this.ca = authority.cert;
    this.#options = options;
    this.#port = options.port ?? 0;
    this.api = new Api((...service) => options.services?.(...service) ?? this.#endpointsOf(...service));
    this.adminToken = this.api.tokens.issue(ADMIN);
    this.#server = createServer({ key: pair.key, cert: pair.cert }, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => sendError(response, error));
    });
    this.#server.on('connection', (socket: Socket) => this.#remember(socket)); // handshakes under way too
  }

  get url(): string {
    return `https://${this.#options.host ?? '127.0.0.1'}:${this.#port}`;
  }

  /** Options for `KubeConfig.loadFromOptions`; as JSON text it is a kubeconfig file. */
  kubeconfig(token = this.adminToken): KubeconfigJson {
    const data = Buffer.from(this.ca).toString('base64');
    return {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'double', cluster: { server: this.url, 'certificate-authority-data': data } }],
      users: [{ name: 'user', user: { token } }],
      contexts: [{ name: 'double', context: { cluster: 'double', user: 'user' } }],
      'current-context': 'double',
    };
  }

  /** Creates any object, wherever it belongs. */
  create(object: Json, options: WriteOptions = {}): Promise<ApiObject> {
    return this.api.create(placeOf(object, false), object, options);
  }

  /** Creates the object, or replaces the one that is there; `status` is taken as it is given. */
  async apply(object: Json): Promise<ApiObject> {
    const place = placeOf(object, true);
    const { resource, namespace, name = '' } = place;
    const known = this.api.store.find(resource, namespace, name) !== undefined;
    const applied = known ? await this.api.replace(place, object) : await this.create(object);
    if (!resource.statusSubresource || object.status === undefined) return applied;
    return this.patch(object, { status: object.status }, 'status');
  }

  /** Changes an object by a JSON merge patch. */
  patch(object: Json, patch: Json, subresource?: string): Promise<ApiObject> {
    const place = { ...placeOf(object, true), ...(subresource === undefined ? {} : { subresource }) };
    return this.api.patch(place, 'application/merge-patch+json', patch);
  }

  /** Deletes the object of this kind and name. */
  delete(object: Json): Promise<ApiObject> {
    return this.api.delete(placeOf(object, true));
  }

  /** Deletes and creates it again: another UID under the same name. Watchers see both. */
  async recreate(object: Json): Promise<ApiObject> {
    await this.delete(object);
    return this.create(object);
  }

  /** The stored object of this kind and name. */
  find(object: Json): ApiObject | undefined {
    const { resource, namespace, name = '' } = placeOf(object, true);
    return this.api.store.find(resource, namespace, name);
  }

  /** A token of a pod's service account, bound to the pod, as the kubelet asks for one. */
  podToken(namespace: string, pod: string, audience: string): string {
    const { metadata, spec } = this.api.read(
      placeOf({ apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name: pod } }, true),
    );
    const { serviceAccountName = 'default' } = (spec ?? {}) as { serviceAccountName?: string };
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: pod, uid: metadata.uid };
    const request = { spec: { audiences: [audience], boundObjectRef } };
    const { status } = this.api.tokens.request(namespace, serviceAccountName, request);
    return (status as { token: string }).token;
  }

  /** Watches that are open, of one resource if given. */
  watches(plural?: string): readonly OpenWatch[] {
    return [...this.#watches].filter((watch) => plural === undefined || watch.resource.plural === plural);
  }

  /** Cuts watch connections, in the middle of a line if asked. */
  async cutWatches(options: { readonly plural?: string; readonly midLine?: boolean } = {}): Promise<void> {
    await Promise.all(this.watches(options.plural).map((watch) => watch.cut(options.midLine ?? false)));
  }

  /** Forgets history: older revisions and page tokens are answered with 410; open watches get that error too, if asked. */
  compact(options: { readonly endWatches?: boolean } = {}): void {
    this.api.store.compact();
    this.api.lists.forget();
    if (options.endWatches)
      for (const watch of this.#watches) watch.fail(expired('too old resource version'));
  }

  /** Stops listening and cuts every connection, as when the server is away. What is stored stays. */
  async goAway(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Listens, at the same port as before. */
  async comeBack(): Promise<void> {
    this.#server.listen(this.#port, this.#options.host ?? '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.goAway();
  }

  #remember(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => undefined); // clients may vanish
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'https://double');
    const { method = 'GET' } = request;
    const user = this.#authenticate(request);
    this.requests.push({
      method,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      user: user.username,
    });
    const proxied = readProxyPath(request.url ?? '');
    if (proxied !== undefined) return this.#proxy(proxied, user, request, response);
    const place = readPath(url.pathname);
    if (place === undefined) return send(response, 200, discover(url.pathname));
    const watch = method === 'GET' && url.searchParams.get('watch') === 'true';
    const initial = watch && url.searchParams.get('sendInitialEvents') === 'true';
    const fault = this.faults.take({ method, plural: place.resource.plural, watch, initial });
    if (fault !== undefined && (await playOut(fault, response))) return;
    const verb = verbOf(method, watch, place);
    if (this.#options.authorize?.(user, verb, place) === false) throw forbidden(user, verb, place);
    if (place.subresource === 'log') return this.#log(place, url.searchParams, response);
    if (watch) return this.#watch(place, url.searchParams, response, fault);
    const body = method === 'GET' ? undefined : await readBody(request);
    const answer = await this.#do(method, place, url.searchParams, request, body, user);
    if (isLong(answer) && fault === undefined) return sendList(response, answer);
    send(response, method === 'POST' ? 201 : 200, answer, fault?.do);
  }

  async #proxy(
    { namespace, id, service, port, path }: ProxyPlace,
    user: UserInfo,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const resource = resourceOfKind('v1', 'Service');
    if (resource === undefined) return;
    const place = { resource, namespace, name: id, subresource: 'proxy' };
    const verb = verbOf(request.method ?? 'GET', false, place);
    if (this.#options.authorize?.(user, verb, place) === false) throw forbidden(user, verb, place);
    this.api.store.get(resource, namespace, service);
    const backend = this.#backendOf(namespace, service, port);
    if (backend === undefined)
      throw new ApiError(503, 'ServiceUnavailable', `no endpoints available for service "${id}"`);
    await passOn(request, response, backend, path);
  }

  #log({ namespace = '', name = '' }: Place, query: URLSearchParams, response: ServerResponse): void {
    const container = query.get('container') ?? '';
    const text = this.logs.get(`${namespace}/${name}/${container}`);
    if (text === undefined) throw badRequest(`container "${container}" in pod "${name}" has no log`);
    const bytes = Buffer.from(text).subarray(0, Number(query.get('limitBytes') ?? text.length));
    response.writeHead(200, { 'content-type': 'text/plain' }).end(bytes);
  }

  async #do(
    method: string,
    place: Place,
    query: URLSearchParams,
    request: IncomingMessage,
    body: unknown,
    user: UserInfo,
  ): Promise<Json> {
    const { api } = this;
    const options = { user, dryRun: query.get('dryRun') === 'All' };
    if (isConnected(place)) return api.connect(place, Object.fromEntries(query), options);
    switch (method) {
      case 'GET':
        return place.name === undefined
          ? api.lists.page(place.resource, place.namespace, query)
          : api.read(place);
      case 'POST':
        if (place.resource === TOKEN_REVIEW) return api.reviewToken(body);
        if (place.resource === SELF_REVIEW) return api.reviewSelf(body, user);
        if (place.resource === ACCESS_REVIEW) return api.reviewAccess(body);
        if (place.subresource === 'token') return api.requestToken(place, body, options);
        return api.create(place, body, options);
      case 'PUT':
        return api.replace(place, body, options);
      case 'PATCH':
        return api.patch(place, request.headers['content-type'] ?? '', body, options);
      case 'DELETE': {
        const wanted = isRecord(body) && isRecord(body.preconditions) ? body.preconditions : {};
        await api.delete(place, wanted, options);
        return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };
      }
      default:
        throw new ApiError(405, 'MethodNotAllowed', `the double does not know ${method}`);
    }
  }

  #watch(
    { resource, namespace }: Place,
    query: URLSearchParams,
    response: ServerResponse,
    fault: FaultAction | undefined,
  ): void {
    const { watchLists = 'served' } = this.#options;
    const request = { resource, namespace, query, watchLists, fault };
    const watch = new OpenWatch(this.api.store, request, response);
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
  }

  #authenticate(request: IncomingMessage): UserInfo {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const user = token === undefined ? undefined : this.api.tokens.authenticate(token.trim());
    if (user === undefined) throw unauthorized();
    return user;
  }

  /** The first ready address in the EndpointSlices of a Service, as kube-proxy would find it. */
  #endpointsOf(namespace: string, name: string, port: number): { host: string; port: number } | undefined {
    const services = resourceOfKind('v1', 'Service');
    if (services === undefined) return undefined;
    const service = this.api.store.find(services, namespace, name);
    const ports = (service?.spec as Json | undefined)?.ports as readonly Json[] | undefined;
    const wanted = ports?.find((candidate) => candidate.port === port)?.name ?? '';
    return this.#backendOf(namespace, name, String(wanted));
  }

  /** The same, by the name of the port. */
  #backendOf(namespace: string, name: string, wanted: string): { host: string; port: number } | undefined {
    const slices = resourceOfKind('discovery.k8s.io/v1', 'EndpointSlice');
    if (slices === undefined) return undefined;
    for (const slice of this.api.store.list(slices, namespace)) {
      if (slice.metadata.labels?.['kubernetes.io/service-name'] !== name) continue;
      const target = (slice.ports as readonly Json[]).find(
        (candidate) => (candidate.name ?? '') === wanted,
      )?.port;
      for (const { addresses } of slice.endpoints as readonly Json[]) {
        const host = (addresses as readonly string[])[0];
        if (host !== undefined && typeof target === 'number') return { host, port: target };
      }
    }
    return undefined;
  }
}

/** A kubeconfig in JSON. */
export interface KubeconfigJson {
  readonly [field: string]: unknown;
}

/** Where an object belongs. */
function placeOf(object: Json, named: boolean): Place {
  const { apiVersion, kind, metadata } = object as ApiObject;
  const resource = resourceOfKind(apiVersion, kind);
  if (resource === undefined) throw new Error(`the double does not serve ${apiVersion} ${kind}`);
  return {
    resource,
    ...(resource.namespaced ? { namespace: metadata.namespace ?? 'default' } : {}),
    ...(named ? { name: metadata.name } : {}),
  };
}

function verbOf(method: string, watch: boolean, place: Place): string {
  if (method === 'GET') return watch ? 'watch' : place.name === undefined ? 'list' : 'get';
  return { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' }[method] ?? method.toLowerCase();
}

function forbidden(user: UserInfo, verb: string, { resource, namespace }: Place): ApiError {
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const what = `cannot ${verb} resource "${resource.plural}" in API group "${resource.group}" ${where}`;
  return new ApiError(403, 'Forbidden', `${resource.plural} is forbidden: User "${user.username}" ${what}`);
}

/** Plays out a fault; true: the request is done with. */
async function playOut(fault: FaultAction, response: ServerResponse): Promise<boolean> {
  switch (fault.do) {
    case 'too-many-requests': {
      const error = new ApiError(429, 'TooManyRequests', 'too many requests, please try again later');
      response.setHeader('retry-after', fault.retryAfterSeconds);
      sendError(response, error);
      return true;
    }
    case 'fail':
      sendError(response, new ApiError(fault.code, 'InternalError', 'as a test has ordered'));
      return true;
    case 'reset':
      response.destroy();
      return true;
    case 'hang':
      return true;
    case 'delay':
      await delay(fault.ms);
      return false;
    case 'truncate':
    case 'stop-midway':
    case 'break-initial-events':
      return false;
    default:
      return unreachable(fault);
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY_BYTES) throw new ApiError(413, 'RequestEntityTooLarge', 'the body is too large');
    chunks.push(chunk as Buffer);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const known =
    error instanceof ApiError ? error : new ApiError(500, 'InternalError', String((error as Error).stack));
  send(response, known.code, known.status);
}

/** A list, and that it is long. */
function isLong(body: Json): boolean {
  return Array.isArray(body.items) && body.items.length > MAX_LIST_AT_ONCE;
}

/** Sends a list no faster than it is read. */
async function sendList(response: ServerResponse, { items, ...rest }: Json): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write(`${JSON.stringify(rest).slice(0, -1)},"items":[`);
  let separator = '';
  for (const item of items as readonly Json[]) {
    if (!response.write(`${separator}${JSON.stringify(item)}`)) await drained(response);
    if (response.destroyed) return;
    separator = ',';
  }
  response.end(']}');
}

function send(response: ServerResponse, code: number, body: Json, fault?: FaultAction['do']): void {
  const text = JSON.stringify(body);
  response.writeHead(code, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  if (fault !== 'truncate' && fault !== 'stop-midway') {
    response.end(text);
    return;
  }
  const sent = () => (fault === 'truncate' ? response.destroy() : undefined);
  response.write(text.slice(0, Math.floor(text.length / 2)), sent);
}
