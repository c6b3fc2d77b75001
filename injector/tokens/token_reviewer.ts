/** Checks the tokens of sidecars. */
import type { AuthenticationV1Api } from '@kubernetes/client-node';
import { TOKEN_AUDIENCE } from '../../common/contract.ts';
import type { TokenAuthenticator, TokenVerdict } from './authenticator.ts';
import { readReview } from './review.ts';
import { ReviewedTokens, type TokenQuestion, type TokenReviewerOptions } from './reviewed_tokens.ts';

const QUESTION: TokenQuestion<TokenVerdict> = {
  audiences: [TOKEN_AUDIENCE],
  read: readReview,
  isGood: ({ verdict }) => verdict === 'pod',
};

/** Asks once for each token, however many connections show it. The pod of a good one has to exist all the same. */
export class TokenReviewer implements TokenAuthenticator {
  readonly #reviews: ReviewedTokens<TokenVerdict>;

  constructor(
    api: Pick<AuthenticationV1Api, 'createTokenReview'>,
    options: Partial<TokenReviewerOptions> = {},
  ) {
    this.#reviews = new ReviewedTokens(api, options);
  }

  /** @throws SluiceError `TOKEN_UNCHECKED` */
  authenticate(token: string): Promise<TokenVerdict> {
    return this.#reviews.review(token, QUESTION);
  }
}
