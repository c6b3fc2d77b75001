/**
 * Whether tokens can be believed: only while the admission policy is in force that keeps their audiences true. Fails closed: the
 * injector asks for a token that lies, and has to be refused.
 */
import {
  AdmissionregistrationV1Api,
  ApiException,
  CoreV1Api,
  type KubeConfig,
} from '@kubernetes/client-node';
import { SluiceError } from '../../common/errors.ts';
import { ASKERS_ACCOUNT, ASKERS_POLICY, askerAudiences, FLOWS_TOKEN_SECONDS } from '../../flows/index.ts';
import { hasCode, NOT_FOUND, whatFailed, within } from '../api/index.ts';

/** Times, ms; tests shorten them. */
export interface AskerPolicyTimes {
  /** How long it holds that the policy is in force. */
  readonly goodMs: number;
  /** How long it holds that it is not. */
  readonly badMs: number;
  /**
   * Within this time each API server knows of a policy that was made: a token that was made earlier may have been made by one that
   * did not.
   */
  readonly knownMs: number;
}

const TIMES: AskerPolicyTimes = { goodMs: 10_000, badMs: 1_000, knownMs: 30_000 };

const TIMEOUT_MS = 5_000;

/** A user that nobody is: names with this prefix are the API server's own. */
const NOBODY = { username: 'system:sluice:nobody', groups: [], extra: {} };

const UNPROCESSABLE = 422;

/** What was found. */
type State = { readonly inForceSinceMs: number } | { readonly problem: string };

/** The API calls that it takes. */
export interface AskerPolicyApis {
  readonly core: Pick<CoreV1Api, 'createNamespacedServiceAccountToken'>;
  readonly admission: Pick<
    AdmissionregistrationV1Api,
    'readValidatingAdmissionPolicy' | 'readValidatingAdmissionPolicyBinding'
  >;
}

/** Looks whether the policy is in force, once for all who ask within seconds. */
export class AskerPolicy {
  readonly #namespace: string;
  readonly #apis: AskerPolicyApis;
  readonly #times: AskerPolicyTimes;
  #state: Promise<State> | undefined;
  #untilMs = 0;

  /** @param namespace the injector's own */
  constructor(apis: AskerPolicyApis, namespace: string, times: Partial<AskerPolicyTimes> = {}) {
    this.#apis = apis;
    this.#namespace = namespace;
    this.#times = { ...TIMES, ...times };
  }

  /** With the injector's own credentials. */
  static of(config: KubeConfig, namespace: string, times?: Partial<AskerPolicyTimes>): AskerPolicy {
    const core = config.makeApiClient(CoreV1Api);
    const admission = config.makeApiClient(AdmissionregistrationV1Api);
    return new AskerPolicy({ core, admission }, namespace, times);
  }

  /**
   * Why a token that was made then cannot be believed; undefined: it can.
   * @throws SluiceError `TOKEN_UNCHECKED`: it cannot be said now
   */
  async problemOf(issuedMs: number): Promise<string | undefined> {
    const state = await this.#current();
    if ('problem' in state) return state.problem;
    const sinceMs = state.inForceSinceMs + this.#times.knownMs;
    if (issuedMs >= sinceMs) return undefined;
    if (Number.isNaN(sinceMs))
      return `the API server does not say since when there is a policy ${ASKERS_POLICY}`;
    return `the policy ${ASKERS_POLICY} is new, and the token was made before each API server knew of it: take a token that is made after ${new Date(sinceMs).toISOString()}`;
  }

  #current(): Promise<State> {
    if (this.#state === undefined || performance.now() >= this.#untilMs) {
      this.#untilMs = Number.POSITIVE_INFINITY;
      const look = this.#look();
      this.#state = look;
      look.then(
        (state) => {
          this.#untilMs = performance.now() + ('problem' in state ? this.#times.badMs : this.#times.goodMs);
        },
        () => {
          this.#untilMs = 0;
        },
      );
    }
    return this.#state;
  }

  async #look(): Promise<State> {
    try {
      const name = ASKERS_POLICY;
      const { admission } = this.#apis;
      const [policy, binding] = await Promise.all([
        admission.readValidatingAdmissionPolicy({ name }, within(TIMEOUT_MS)),
        admission.readValidatingAdmissionPolicyBinding({ name }, within(TIMEOUT_MS)),
      ]);
      if (!(await this.#refusesLies()))
        return {
          problem: `the policy ${name} does not refuse a token with a false name: is it as the manifests have it?`,
        };
      const made = [policy, binding].map(
        ({ metadata }) => metadata?.creationTimestamp?.getTime() ?? Number.NaN,
      );
      return { inForceSinceMs: Math.max(...made) };
    } catch (cause) {
      if (hasCode(cause, NOT_FOUND))
        return {
          problem: `there is no ${ASKERS_POLICY}, or no account ${ASKERS_ACCOUNT}: apply the manifests of this version`,
        };
      throw new SluiceError(
        'TOKEN_UNCHECKED',
        `it cannot be said whether the policy ${ASKERS_POLICY} is in force: the API server is asked, and ${whatFailed(cause)}`,
        { cause },
      );
    }
  }

  /** Asks for a token that says that the injector is somebody else. */
  async #refusesLies(): Promise<boolean> {
    const audiences = [...askerAudiences(NOBODY)];
    const body = { spec: { audiences, expirationSeconds: FLOWS_TOKEN_SECONDS } };
    const request = { name: ASKERS_ACCOUNT, namespace: this.#namespace, body };
    try {
      await this.#apis.core.createNamespacedServiceAccountToken(request, within(TIMEOUT_MS));
      return false;
    } catch (error) {
      if (
        error instanceof ApiException &&
        error.code === UNPROCESSABLE &&
        String(error.body).includes(ASKERS_POLICY)
      )
        return true;
      throw error;
    }
  }
}
