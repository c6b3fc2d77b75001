/** Judges live flows by another table: those of one source to one port have one answer. */
import type { Direction, Judge, Protocol, Verdict } from '../../policy/index.ts';

/** What a live flow asks of a table. */
export type FlowJudge = Pick<Judge, 'judge' | 'isUnsure' | 'tag'>;

/**
 * Remembers the answers about the source that it was asked about last: a thousand flows of one source are judged once. To be asked about
 * one source after another. Made for one look through the flows: the next table has another judge.
 */
export class RememberingJudge implements FlowJudge {
  readonly #judge: FlowJudge;
  /** Whom the answers are about. */
  #peer: string | undefined;
  #direction: Direction = 'ingress';
  #protocol: Protocol = 'TCP';
  /** By port: as many as the flows of a source have. */
  readonly #verdicts = new Map<number, Verdict>();
  #tag: { readonly peer: string; readonly tag: string | undefined } | undefined;

  constructor(judge: FlowJudge) {
    this.#judge = judge;
  }

  judge(direction: Direction, peer: string, protocol: Protocol, port: number): Verdict {
    if (peer !== this.#peer || direction !== this.#direction || protocol !== this.#protocol) {
      this.#verdicts.clear();
      this.#peer = peer;
      this.#direction = direction;
      this.#protocol = protocol;
    }
    const known = this.#verdicts.get(port);
    if (known !== undefined) return known;
    const verdict = this.#judge.judge(direction, peer, protocol, port);
    this.#verdicts.set(port, verdict);
    return verdict;
  }

  isUnsure(direction: Direction, peer: string, protocol: Protocol, port: number): boolean {
    return this.#judge.isUnsure(direction, peer, protocol, port);
  }

  tag(peer: string): string | undefined {
    if (this.#tag?.peer !== peer) this.#tag = { peer, tag: this.#judge.tag(peer) };
    return this.#tag.tag;
  }
}
