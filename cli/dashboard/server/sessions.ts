/**
 * Who may see the page's data: a token from the terminal, which works once, becomes the secret of a session. The page keeps the secret
 * where only its own origin can read it, and sends it in a header. A cookie would go to every port of 127.0.0.1.
 */
import { createHash, randomBytes } from 'node:crypto';

/** 256 bits: nobody guesses one. */
const SECRET_BYTES = 32;

/** Sessions that are kept, and tokens that wait. Each new one beyond takes the place of the oldest. */
const MAX_KEPT = 16;

/** Tokens and sessions of one server. */
export class Sessions {
  // By hash: how long a look-up takes tells nothing about a secret.
  readonly #tokens = new Set<string>();
  readonly #sessions = new Set<string>();

  /** Makes a token that works once. */
  newToken(): string {
    return keep(this.#tokens);
  }

  /** The secret of a new session; undefined for a token that was never made or has been used. */
  exchange(token: string): string | undefined {
    return this.#tokens.delete(hash(token)) ? keep(this.#sessions) : undefined;
  }

  /** Whether this is the secret of a session. */
  holds(secret: string): boolean {
    return this.#sessions.has(hash(secret));
  }
}

function keep(kept: Set<string>): string {
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  kept.add(hash(secret));
  const [oldest] = kept;
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest);
  return secret;
}

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('base64');
}
