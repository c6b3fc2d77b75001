/** What the TLS table server asks of the part that checks tokens. */

/** The pod that a token was made for. */
export interface TokenPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** What a token is worth. `message` is a sentence for people that says what to do. */
export type TokenVerdict =
  | { readonly verdict: 'pod'; readonly pod: TokenPod }
  | { readonly verdict: 'refused'; readonly message: string };

/** Checks tokens. Fails closed: what cannot be checked admits nobody. */
export interface TokenAuthenticator {
  /** @throws SluiceError `TOKEN_UNCHECKED`: it cannot be said now, a later try may succeed */
  authenticate(token: string): Promise<TokenVerdict>;
}
