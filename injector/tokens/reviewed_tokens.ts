/** Checks tokens by the API server's TokenReview. Answers are remembered for a short while, questions are bounded. */
import { createHash } from 'node:crypto';
import type { AuthenticationV1Api, V1TokenReview } from '@kubernetes/client-node';
import { SluiceError } from '../../common/errors.ts';
import { FORBIDDEN, hasCode, whatFailed, within } from '../api/index.ts';
import { ExpiringMap } from './expiring_map.ts';
import { Turns } from './turns.ts';

/** Settings; tests shorten them. */
export interface TokenReviewerOptions {
  /** How long a good token is taken without asking again, ms. */
  readonly goodMs: number;
  /** The same for a refused one: shorter, since the API server may only be a little behind. */
  readonly refusedMs: number;
  /** How long one review may take, ms. */
  readonly timeoutMs: number;
  /** Verdicts remembered; some 300 bytes each. */
  readonly maxRemembered: number;
  /** Reviews under way at once: the API server has other things to do. */
  readonly maxAtOnce: number;
  /** Tokens that wait for their review; more are turned away until later. */
  readonly maxWaiting: number;
}

const DEFAULTS: TokenReviewerOptions = {
  goodMs: 30_000,
  refusedMs: 5_000,
  timeoutMs: 5_000,
  maxRemembered: 10_000,
  maxAtOnce: 16,
  maxWaiting: 1_000,
};

/** What is asked about a token. */
export interface TokenQuestion<V> {
  /** At least one of which the token has to be for. */
  readonly audiences: readonly string[];
  /** What the review says. Fails closed: a review that lacks anything admits nobody. */
  readonly read: (review: V1TokenReview) => V;
  /** Whether that is for as long as a good token is taken. */
  readonly isGood: (verdict: V) => boolean;
}

/** Asks once for each token, however many connections show it. */
export class ReviewedTokens<V> {
  readonly #api: Pick<AuthenticationV1Api, 'createTokenReview'>;
  readonly #options: TokenReviewerOptions;
  /** By hash: the tokens themselves are not kept. */
  readonly #verdicts: ExpiringMap<string, V>;
  readonly #underWay = new Map<string, Promise<V>>();
  readonly #turns: Turns;

  constructor(
    api: Pick<AuthenticationV1Api, 'createTokenReview'>,
    options: Partial<TokenReviewerOptions> = {},
  ) {
    this.#api = api;
    this.#options = { ...DEFAULTS, ...options };
    this.#verdicts = new ExpiringMap(this.#options.maxRemembered);
    this.#turns = new Turns(this.#options.maxAtOnce);
  }

  /** @throws SluiceError `TOKEN_UNCHECKED` */
  async review(token: string, question: TokenQuestion<V>): Promise<V> {
    const hash = createHash('sha256').update(token).digest('base64');
    const known = this.#verdicts.get(hash) ?? this.#underWay.get(hash);
    if (known !== undefined) return known;
    if (this.#underWay.size >= this.#options.maxWaiting)
      throw unchecked('too many tokens wait to be checked: try again');
    const review = this.#review(token, hash, question).finally(() => this.#underWay.delete(hash));
    this.#underWay.set(hash, review);
    return review;
  }

  async #review(token: string, hash: string, { audiences, read, isGood }: TokenQuestion<V>): Promise<V> {
    const leave = await this.#turns.take();
    try {
      const body = { spec: { token, audiences: [...audiences] } };
      const verdict = read(await this.#api.createTokenReview({ body }, within(this.#options.timeoutMs)));
      const { goodMs, refusedMs } = this.#options;
      this.#verdicts.set(hash, verdict, isGood(verdict) ? goodMs : refusedMs);
      return verdict;
    } catch (cause) {
      const rights = hasCode(cause, FORBIDDEN) ? '; is the ClusterRole of the injector bound?' : '';
      throw unchecked(`the API server is asked, and ${whatFailed(cause)}${rights}`, cause);
    } finally {
      leave();
    }
  }
}

function unchecked(why: string, cause?: unknown): SluiceError {
  return new SluiceError('TOKEN_UNCHECKED', `the token cannot be checked now: ${why}`, { cause });
}
