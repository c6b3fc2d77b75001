/**
 * The token that says to the injector who asks. The API server makes it, for any credentials that it knows: client certificate, OIDC,
 * an exec plugin. It is good for nothing else, and for ten minutes. docs/adr/0051
 */
import type { IncomingMessage } from 'node:http';
import { SluiceError } from '../../../common/errors.ts';
import { part, text } from '../../../common/shape.ts';
import {
  ASKERS_ACCOUNT,
  type Asker,
  askerAudiences,
  FLOWS_TOKEN_SECONDS,
  selfReview,
} from '../../../flows/index.ts';
import type { ApiClient } from '../../../injector/api/index.ts';
import { ApiFailure } from '../../../injector/api/index.ts';

const SELF_REVIEWS = '/apis/authentication.k8s.io/v1/selfsubjectreviews';

/** A TokenRequest with its status. */
const tokenRequest = part({ status: part({ token: text() }) });

/** Longest answer to either, bytes. A token has all groups of a user. */
const MAX_ANSWER_BYTES = 256 * 1024;

/** A token is taken for so much of its life: the rest is for clocks that differ, and the way. */
const USED_SHARE = 0.8;

const MS_PER_SECOND = 1_000;

/** What the policy of the manifests refuses with. */
const UNPROCESSABLE = 422;

/** Keeps one token, and gets another in time. */
export class AskingToken {
  readonly #client: ApiClient;
  readonly #namespace: string;
  #token: Promise<string> | undefined;
  #untilMs = 0;

  /** @param namespace the injector's */
  constructor(client: ApiClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  /** @throws ApiFailure; Error of the connection, or of `signal`; SluiceError `FLOWS_UNREADABLE` for an odd answer */
  get(signal: AbortSignal): Promise<string> {
    if (this.#token === undefined || performance.now() >= this.#untilMs) {
      this.#untilMs = performance.now() + USED_SHARE * FLOWS_TOKEN_SECONDS * MS_PER_SECOND;
      const token = this.#request(signal);
      this.#token = token;
      token.catch(() => this.forget());
    }
    return this.#token;
  }

  /** The injector does not take it: the next one is new. */
  forget(): void {
    this.#token = undefined;
  }

  async #request(signal: AbortSignal): Promise<string> {
    try {
      return await this.#requestOnce(signal);
    } catch (error) {
      // Between the two questions a plugin may have got other credentials, which the API server gives another identifier.
      if (!(error instanceof ApiFailure) || error.code !== UNPROCESSABLE) throw error;
      return this.#requestOnce(signal);
    }
  }

  async #requestOnce(signal: AbortSignal): Promise<string> {
    const body = {
      spec: { audiences: askerAudiences(await this.#whoAmI(signal)), expirationSeconds: FLOWS_TOKEN_SECONDS },
    };
    const path = `/api/v1/namespaces/${this.#namespace}/serviceaccounts/${ASKERS_ACCOUNT}/token`;
    const answer = await this.#client.post(path, { body }, {}, signal);
    return tokenRequest.readJson(await textOf(answer), 'TokenRequest', odd).status.token;
  }

  async #whoAmI(signal: AbortSignal): Promise<Asker> {
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
    const answer = await this.#client.post(SELF_REVIEWS, { body }, {}, signal);
    const { userInfo } = selfReview.readJson(await textOf(answer), 'SelfSubjectReview', odd).status;
    return { groups: [], extra: {}, ...userInfo };
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer) {
    size += (chunk as Buffer).length;
    if (size > MAX_ANSWER_BYTES) throw odd(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

function odd(problem: string, cause?: unknown): SluiceError {
  return new SluiceError(
    'FLOWS_UNREADABLE',
    `${problem}: is it the API server that answers, and nothing in between that changes the answer?`,
    { cause },
  );
}
