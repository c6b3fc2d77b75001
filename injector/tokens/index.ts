/** Who a sidecar is: its token, reviewed by the API server. */

export type { TokenAuthenticator, TokenVerdict } from './authenticator.ts';
export { TokenReviewer } from './token_reviewer.ts';
