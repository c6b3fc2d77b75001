/** What comes before a session over TLS: a token within a bounded time, checked. Until then nobody is served. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { jittered } from '../../common/backoff.ts';
import { messageOf } from '../../common/errno.ts';
import { unreachable } from '../../common/errors.ts';
import type { SidecarFrame, WireVersion } from '../../policy/index.ts';
import type { Place } from '../doors/index.ts';
import type { TokenAuthenticator, TokenVerdict } from '../tokens/index.ts';
import type { FrameConnection, FrameReader } from './frame_connection.ts';
import { smallFrame } from './frames/index.ts';
import type { CutReason } from './session/index.ts';
import { HEARTBEAT_MS, type TableServer } from './table_server.ts';

/** Time between tries to check one token while that fails, ms; up to the same again is added as jitter. */
const RECHECK_MS = 1_000;

/** What a login needs. */
export interface LoginParts {
  readonly tables: TableServer;
  readonly authenticator: TokenAuthenticator;
  readonly log: Logger;
  /** Time in which the token must come, ms. */
  readonly helloTimeoutMs: number;
  /** Of the connection: held until it is logged in, refused or gone. */
  readonly place: Pick<Place, 'settle' | 'leave'>;
  /** Called when the token is good. */
  readonly admitted?: () => void;
  /** What the sidecar knows; default: what all know. */
  readonly wire?: WireVersion;
}

/**
 * One connection until its token is checked; then it is a session of the table server. While the token cannot be
 * checked the sidecar gets the reason and is kept waiting: it need not connect again and again. One frame is read before that.
 */
export class Login implements FrameReader {
  readonly #connection: FrameConnection;
  readonly #parts: LoginParts;
  readonly #timeout: NodeJS.Timeout;
  #isOver = false;
  /** Ends a wait between two tries. Made for one only: to abort is a good part of what a login costs. */
  #wait: AbortController | undefined;

  constructor(connection: FrameConnection, parts: LoginParts) {
    this.#connection = connection;
    this.#parts = parts;
    this.#timeout = setTimeout(
      () => this.#refuse('no-hello', `no token came within ${parts.helloTimeoutMs} ms`),
      parts.helloTimeoutMs,
    );
  }

  receive(frame: SidecarFrame): void {
    switch (frame.type) {
      case 'token-hello':
        clearTimeout(this.#timeout);
        this.#parts.place.settle(); // it need not come again and again while the API server is away
        void this.#logIn(frame);
        return;
      case 'hello':
        return this.#refuse('token', 'over TLS a token is wanted, not a name: set SLUICE_INJECTOR_ADDRESS');
      case 'ack':
      case 'nack':
      case 'identify':
      case 'want':
      case 'meet':
        return this.fail(`the first frame is a hello, not ${frame.type}`);
      default:
        return unreachable(frame);
    }
  }

  /** None is read before the hello: there is no pod that it could be of. */
  flows(): void {
    this.fail('the first frame is a hello, not flows');
  }

  fail(message: string): void {
    this.#refuse('bad-frame', message);
  }

  closed(): void {
    this.#end();
  }

  async #logIn(hello: Extract<SidecarFrame, { type: 'token-hello' }>): Promise<void> {
    const verdict = await this.#check(hello.token);
    if (verdict === undefined || this.#isOver) return;
    if (verdict.verdict === 'refused') return this.#refuse('token', verdict.message);
    this.#end();
    this.#parts.admitted?.();
    const session = this.#parts.tables.attach(this.#connection);
    this.#connection.read(session);
    session.open(verdict.pod, hello, this.#parts.wire);
  }

  /** @returns undefined when the connection has ended before it could be said */
  async #check(token: string): Promise<TokenVerdict | undefined> {
    const { authenticator, log } = this.#parts;
    let heartbeat: NodeJS.Timeout | undefined;
    try {
      for (;;) {
        try {
          return await authenticator.authenticate(token);
        } catch (err) {
          if (this.#isOver) return undefined;
          if (heartbeat === undefined) {
            log.warn({ err }, 'a token cannot be checked: the sidecar waits with the table it has');
            this.#connection.send(smallFrame({ type: 'unknown-pod', message: messageOf(err) }));
            // Shows life. No table has revision 0, so that none is taken for current.
            heartbeat = setInterval(
              () => this.#connection.send(smallFrame({ type: 'heartbeat', revision: 0 })),
              HEARTBEAT_MS,
            );
          }
          this.#wait ??= new AbortController();
          await delay(jittered(RECHECK_MS, 2 * RECHECK_MS), undefined, { signal: this.#wait.signal });
        }
      }
    } catch {
      return undefined; // the wait was aborted
    } finally {
      clearInterval(heartbeat);
    }
  }

  #refuse(reason: CutReason, message: string): void {
    if (this.#isOver) return;
    this.#parts.log.warn({ reason }, `sidecar connection refused: ${message}`);
    this.#parts.tables.metrics.sessionsCut.inc({ reason });
    this.#connection.send(smallFrame({ type: 'refused', message }));
    this.#end();
    this.#connection.close('flush');
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wait?.abort();
    clearTimeout(this.#timeout);
    this.#parts.place.leave();
  }
}
