/** Who a sidecar is, or who asks: a token, reviewed by the API server. */

export type { TokenAuthenticator, TokenVerdict } from './authenticator.ts';
export { ExpiringMap } from './expiring_map.ts';
export { ReviewedTokens, type TokenReviewerOptions } from './reviewed_tokens.ts';
export { TokenReviewer } from './token_reviewer.ts';
export { Turns } from './turns.ts';
