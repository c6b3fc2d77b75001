/** Who asks: reads a token whose audiences name a user, once the API server has said that it is good. */
import type { AuthenticationV1Api, V1TokenReview } from '@kubernetes/client-node';
import { integer, list, part, text } from '../../common/shape.ts';
import { ASKERS_ACCOUNT, type Asker, askerOf, FLOWS_TOKEN_SECONDS } from '../../flows/index.ts';
import { ReviewedTokens, type TokenReviewerOptions } from '../tokens/index.ts';

/** What a token is worth. `message` is a sentence for people that says what to do. */
export type AskerVerdict =
  | {
      readonly verdict: 'asker';
      readonly asker: Asker;
      /** When the API server made the token, and when it ends; ms since 1970. */
      readonly issuedMs: number;
      readonly endsMs: number;
    }
  | { readonly verdict: 'refused'; readonly message: string };

/** What a token says. It is believed once the API server has reviewed that very token. Source: RFC 7519. */
const claims = part({
  aud: list(text()),
  iat: integer(0, Number.MAX_SAFE_INTEGER),
  exp: integer(0, Number.MAX_SAFE_INTEGER),
});

const MS_PER_SECOND = 1_000;

/** Verdicts remembered: less than for sidecars, as one has all of a user's groups; some 10 kB at most, 2 kB as a rule. */
const MAX_REMEMBERED = 1_000;

/**
 * Reviews at once, and tokens that wait for one: fewer than for sidecars, which share the API server's patience with them. Anybody may
 * show tokens that are none.
 */
const MAX_AT_ONCE = 4;
const MAX_WAITING = 100;

/** Checks the tokens of users. */
export class Askers {
  readonly #account: string;
  readonly #reviews: ReviewedTokens<AskerVerdict>;

  /** @param namespace the injector's own, where the account is that the tokens are of */
  constructor(
    api: Pick<AuthenticationV1Api, 'createTokenReview'>,
    namespace: string,
    options: Partial<TokenReviewerOptions> = {},
  ) {
    this.#account = `system:serviceaccount:${namespace}:${ASKERS_ACCOUNT}`;
    this.#reviews = new ReviewedTokens(api, {
      maxRemembered: MAX_REMEMBERED,
      maxAtOnce: MAX_AT_ONCE,
      maxWaiting: MAX_WAITING,
      ...options,
    });
  }

  /** @throws SluiceError `TOKEN_UNCHECKED` */
  async authenticate(token: string): Promise<AskerVerdict> {
    const said = claimsOf(token);
    if (said === undefined) return refused('it is no token of a service account for the audience of flows');
    const { aud, iat, exp } = said;
    const asker = askerOf(aud);
    if (asker === undefined) return refused('its audiences do not name a user');
    if (exp - iat > FLOWS_TOKEN_SECONDS)
      return refused(`it lives for longer than ${FLOWS_TOKEN_SECONDS} seconds`);
    const verdict = await this.#reviews.review(token, {
      audiences: aud,
      isGood: (known) => known.verdict === 'asker',
      read: (review) =>
        this.#problemOf(review, aud) ?? {
          verdict: 'asker',
          asker,
          issuedMs: iat * MS_PER_SECOND,
          endsMs: exp * MS_PER_SECOND,
        },
    });
    return verdict.verdict === 'asker' && verdict.endsMs <= Date.now() ? refused('it has ended') : verdict;
  }

  /** Anybody who may make tokens of another account may give these any audiences: only this account's are guarded by the policy. */
  #problemOf({ status }: V1TokenReview, audiences: readonly string[]): AskerVerdict | undefined {
    if (status?.authenticated !== true) return refused(status?.error || 'the API server does not know it');
    if (status.user?.username !== this.#account) return refused(`it is not of the account ${this.#account}`);
    const reviewed = new Set(status.audiences);
    if (!audiences.every((audience) => reviewed.has(audience)))
      return refused('the API server does not confirm all of its audiences');
    return undefined;
  }
}

function claimsOf(token: string): { aud: readonly string[]; iat: number; exp: number } | undefined {
  const payload = token.split('.')[1];
  if (payload === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    return claims.holds(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function refused(why: string): AskerVerdict {
  return { verdict: 'refused', message: `the token is refused: ${why}` };
}
