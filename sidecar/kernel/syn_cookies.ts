/**
 * Handshakes by SYN cookie: the kernel has no socket for them that could be found and destroyed, but makes one when the last packet
 * of the handshake comes, up to two minutes later. Source: tcp_syncookies in ip-sysctl, MAX_SYNCOOKIE_AGE in include/net/tcp.h.
 */
import { readFileSync } from 'node:fs';

/** Counters of the network namespace: a line of names, and one of numbers. */
const COUNTERS = '/proc/net/netstat';

/** MAX_SYNCOOKIE_AGE periods of 64 s, and a little, ms. */
const VALID_MS = 130_000;

/** Whether SYN cookies of this network namespace may be valid: most of the time there are none, and nobody has to look. */
export class SynCookies {
  readonly #readCounters: () => string;
  #sent: number | undefined = 0;
  #lastSentAtMs = Number.NEGATIVE_INFINITY;

  /** @param readCounters the text of `/proc/net/netstat`; another one for tests */
  constructor(readCounters = () => readFileSync(COUNTERS, 'latin1')) {
    this.#readCounters = readCounters;
  }

  /** Where that cannot be known it is so. */
  mayBeValid(nowMs = performance.now()): boolean {
    const sent = this.#read();
    if (sent !== this.#sent || sent === undefined) {
      this.#sent = sent;
      this.#lastSentAtMs = nowMs; // or earlier
    }
    return nowMs - this.#lastSentAtMs < VALID_MS;
  }

  #read(): number | undefined {
    try {
      const [names = [], numbers = []] = this.#readCounters()
        .split('\n')
        .filter((line) => line.startsWith('TcpExt:'))
        .map((line) => line.split(' '));
      const sent = Number(numbers[names.indexOf('SyncookiesSent')]);
      return Number.isNaN(sent) ? undefined : sent;
    } catch {
      return undefined;
    }
  }
}
