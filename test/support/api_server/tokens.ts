/** Who may ask: tokens that a test hands out, and tokens of service accounts, made by TokenRequest, checked by TokenReview. */
import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { conflict, notFound } from './api_error.ts';
import { isRecord, type Json } from './api_object.ts';
import { type Resource, resourceOfKind } from './resources.ts';
import type { Store } from './store.ts';

const MS_PER_SECOND = 1000;

/** What the API server itself takes tokens for. */
export const API_AUDIENCE = 'https://kubernetes.default.svc';

/** As `TokenRequestSpec.expirationSeconds` has it. */
const DEFAULT_EXPIRATION_SECONDS = 3_600;
const MIN_EXPIRATION_SECONDS = 600;

/** A user, as TokenReview and AdmissionReview show one. */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What a service-account token says. */
interface Claims {
  readonly aud: readonly string[];
  /** Seconds since 1970. */
  readonly exp: number;
  readonly iat: number;
  readonly namespace: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly jti: string;
}

/** Makes and checks tokens. */
export class Tokens {
  readonly #store: Store;
  readonly #secret = randomBytes(32);
  readonly #users = new Map<string, UserInfo>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** A token that is good for ever. */
  issue(user: UserInfo): string {
    const token = randomBytes(16).toString('hex');
    this.#users.set(token, user);
    return token;
  }

  /** Who sends this token to the API server; undefined: nobody. */
  authenticate(token: string): UserInfo | undefined {
    const user = this.#users.get(token);
    if (user !== undefined) return user;
    const review = this.#check(token, [API_AUDIENCE]);
    return typeof review === 'string' ? undefined : review.user;
  }

  /**
   * The TokenRequest with its status.
   * @param lifeSeconds instead of what the request says, which has a minimum
   * @throws ApiError 404 where the account is unknown, 409 where the pod is not the one that is there
   */
  request(namespace: string, name: string, request: Json, lifeSeconds?: number): Json {
    const account = this.#store.get(serviceAccounts(), namespace, name);
    const spec = isRecord(request.spec) ? request.spec : {};
    const bound = isRecord(spec.boundObjectRef) ? spec.boundObjectRef : undefined;
    const seconds =
      lifeSeconds ??
      Math.max(MIN_EXPIRATION_SECONDS, Number(spec.expirationSeconds ?? DEFAULT_EXPIRATION_SECONDS));
    const issuedAt = Math.floor(Date.now() / MS_PER_SECOND);
    const expiresAt = new Date((issuedAt + seconds) * MS_PER_SECOND);
    const audiences =
      Array.isArray(spec.audiences) && spec.audiences.length > 0 ? spec.audiences : [API_AUDIENCE];
    const pod = bound === undefined ? undefined : this.#boundPod(namespace, bound);
    const token = this.#sign({
      aud: audiences.map(String),
      exp: issuedAt + seconds,
      iat: issuedAt,
      namespace,
      serviceAccount: { name, uid: account.metadata.uid ?? '' },
      ...(pod === undefined ? {} : { pod }),
      jti: randomUUID(),
    });
    return {
      ...request,
      spec: { ...spec, audiences, expirationSeconds: seconds },
      status: { token, expirationTimestamp: expiresAt.toISOString() },
    };
  }

  /** The TokenReview with its status. */
  review(request: Json): Json {
    const spec = isRecord(request.spec) ? request.spec : {};
    const audiences = Array.isArray(spec.audiences) ? spec.audiences.map(String) : [API_AUDIENCE];
    const found = this.#check(String(spec.token ?? ''), audiences);
    const status =
      typeof found === 'string'
        ? { authenticated: false, user: {}, error: found }
        : { authenticated: true, ...found };
    return { ...request, status };
  }

  #boundPod(namespace: string, reference: Json): { name: string; uid: string } {
    const name = String(reference.name);
    const pod = this.#store.find(pods(), namespace, name);
    if (reference.kind !== 'Pod' || pod === undefined) throw notFound('pods', name);
    const uid = pod.metadata.uid ?? '';
    if (reference.uid !== undefined && reference.uid !== uid)
      throw conflict(
        'pods',
        name,
        `the UID in the bound object reference (${reference.uid}) does not match the UID in record`,
      );
    return { name, uid };
  }

  /** The user and the audiences that hold, or why the token is no good. */
  #check(token: string, audiences: readonly string[]): { user: UserInfo; audiences: string[] } | string {
    const claims = this.#read(token);
    if (claims === undefined) return 'invalid bearer token';
    const shared = claims.aud.filter((audience) => audiences.includes(audience));
    if (shared.length === 0)
      return `[invalid bearer token, token audiences ${JSON.stringify(claims.aud)} is invalid for the target audiences ${JSON.stringify(audiences)}]`;
    if (claims.exp * MS_PER_SECOND < Date.now())
      return '[invalid bearer token, service account token has expired]';
    const { namespace, serviceAccount, pod } = claims;
    const account = this.#store.find(serviceAccounts(), namespace, serviceAccount.name);
    if (account?.metadata.uid !== serviceAccount.uid)
      return '[invalid bearer token, service account token has been invalidated]';
    if (pod !== undefined && this.#store.find(pods(), namespace, pod.name)?.metadata.uid !== pod.uid)
      return '[invalid bearer token, service account token has been invalidated]';
    return { user: this.#userOf(claims), audiences: shared };
  }

  #userOf({ namespace, serviceAccount, pod, jti }: Claims): UserInfo {
    const nodeName =
      pod && (this.#store.find(pods(), namespace, pod.name)?.spec as Json | undefined)?.nodeName;
    return {
      username: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
      uid: serviceAccount.uid,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': [`JTI=${jti}`],
        ...(typeof nodeName === 'string' ? { 'authentication.kubernetes.io/node-name': [nodeName] } : {}),
        ...(pod === undefined
          ? {}
          : {
              'authentication.kubernetes.io/pod-name': [pod.name],
              'authentication.kubernetes.io/pod-uid': [pod.uid],
            }),
      },
    };
  }

  #sign(claims: Claims): string {
    const body = ['{"alg":"HS256"}', JSON.stringify(claims)]
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.');
    return `${body}.${this.#mac(body).toString('base64url')}`;
  }

  #read(token: string): Claims | undefined {
    const end = token.lastIndexOf('.');
    const body = token.slice(0, Math.max(0, end));
    const mac = Buffer.from(token.slice(end + 1), 'base64url');
    const wanted = this.#mac(body);
    if (mac.length !== wanted.length || !timingSafeEqual(mac, wanted)) return undefined;
    return JSON.parse(Buffer.from(body.split('.')[1] ?? '', 'base64url').toString()) as Claims;
  }

  #mac(text: string): Buffer {
    return createHmac('sha256', this.#secret).update(text).digest();
  }
}

function pods(): Resource {
  return served('Pod');
}

function serviceAccounts(): Resource {
  return served('ServiceAccount');
}

function served(kind: string): Resource {
  const resource = resourceOfKind('v1', kind);
  if (resource === undefined) throw new Error(`the double does not serve ${kind}`);
  return resource;
}
