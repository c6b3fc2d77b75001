/**
 * Spreads sidecars over the replicas. After a rolling restart the replica that came last has none, and connections stay for weeks:
 * a replica that carries more than its share has the excess move, and so each sidecar after a while. Fails static: without word of
 * another replica nobody moves.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { integer, part, type TypeOf, text } from '../../../common/shape.ts';
import type { TableServer } from '../../tables/index.ts';
import { askReplicas } from './ask_replicas.ts';
import { excessOf, type ShareBounds } from './share.ts';

/** Between looks, ms. */
const LOOK_MS = 1_000;

/** Sidecars asked to move in one look. Each is a handshake and a table elsewhere: all at once would be a restart. */
const MOVES_A_LOOK = 5;

/** Path of the counts on the status port. */
const SESSIONS_PATH = '/sessions';

const carriedShape = part({ replica: text(), sessions: integer(0, Number.MAX_SAFE_INTEGER) });

/** What one replica carries. */
interface CarriedSessions extends TypeOf<typeof carriedShape> {}

/** What is spread. */
interface SessionSpreadParts extends ShareBounds {
  readonly tables: Pick<TableServer, 'carried' | 'letGo'>;
  /** Canonical addresses of the injector's replicas, this one among them. */
  readonly replicas: () => readonly string[];
  readonly replica: string;
  /** Where the other replicas say what they carry. */
  readonly statusPort: number;
  readonly log: Logger;
  /** Default a second; tests shorten it. */
  readonly lookMs?: number;
}

/** Looks each second, until `close`. */
export class SessionSpread {
  readonly #parts: SessionSpreadParts;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  /** Whether there is an excess that goes. */
  #isLettingGo = false;

  constructor(parts: SessionSpreadParts) {
    this.#parts = parts;
    this.#running = this.#run();
  }

  /** What this replica carries. */
  get counts(): CarriedSessions {
    return { replica: this.#parts.replica, sessions: this.#parts.tables.carried };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { lookMs = LOOK_MS } = this.#parts;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await this.#look();
      await delay(lookMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const { tables, replica, log } = this.#parts;
    // By name: a replica may have an address of each family.
    const others = new Map((await this.#ask()).map((other) => [other.replica, other.sessions]));
    others.delete(replica);
    if (this.#closing.signal.aborted) return;
    // Alone, or without word of another: a sidecar that moved would come back here, or find nobody.
    if (others.size === 0) {
      this.#isLettingGo = false;
      return;
    }
    const counts = [...others.values()];
    const excess = excessOf(tables.carried, counts, this.#isLettingGo, this.#parts);
    if (excess > 0 && !this.#isLettingGo)
      log.info({ carried: tables.carried, others: counts, excess }, 'too many sidecars: some move');
    this.#isLettingGo = excess > 0;
    const asked = tables.letGo('all', Math.min(excess, MOVES_A_LOOK), 'this replica carries too many');
    tables.letGo(
      'aged',
      MOVES_A_LOOK - asked,
      'a connection lasts for a while, so that replicas carry alike',
    );
  }

  /** Only with others is there anything to ask. */
  async #ask(): Promise<readonly CarriedSessions[]> {
    const { replicas, statusPort } = this.#parts;
    const addresses = replicas();
    if (addresses.length < 2) return [];
    return askReplicas(addresses, statusPort, { path: SESSIONS_PATH, shape: carriedShape });
  }
}
