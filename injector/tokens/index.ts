/** The face of `injector/tokens/`: what other parts may use. */

export type { TokenAuthenticator, TokenVerdict } from './authenticator.ts';
export { TokenReviewer } from './token_reviewer.ts';
