/**
 * Cuts the JSON of a list into its objects while it arrives, so that each is parsed by itself and let go: 100,000 pods are
 * hundreds of megabytes, and more than a JavaScript string can hold. Only brackets and strings are looked at here. Whether a
 * piece is JSON is for its parser to say.
 */
import { AnswerMalformed, answerMalformed } from './api_failure.ts';

/** No piece is longer: etcd bounds objects at 1.5 MiB, bytes. */
const MAX_PIECE_BYTES = 8 * 1024 * 1024;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** How many brackets are open: outside of the list, in it, and in its `items`. */
const OUTSIDE = 0;
const IN_LIST = 1;
const IN_ITEMS = 2;

/** What comes before the bracket of the items. */
const ITEMS = /^\s*"items"\s*:\s*$/;

/** A piece: an object of the list as JSON, or a member of the list itself, such as `"metadata":{}`. */
export interface ListPiece {
  readonly kind: 'item' | 'member';
  readonly text: string;
}

export class ListCutter {
  readonly #name: string;
  #state: 'before' | 'members' | 'items' | 'over' = 'before';
  /** The last byte that was cut at was a comma between items: another one has to follow. */
  #isItemDue = false;
  #depth = OUTSIDE;
  #inString = false;
  #isEscaped = false;
  /** What has come of the next piece. */
  #parts: Buffer[] = [];
  #length = 0;

  /** @param name what the list is, for messages */
  constructor(name: string) {
    this.#name = name;
  }

  /**
   * The pieces that end in this chunk, in order.
   * @throws AnswerMalformed
   */
  *push(chunk: Buffer): Generator<ListPiece, void> {
    let start = 0;
    for (let at = this.#nextCut(chunk, 0); at < chunk.length; at = this.#nextCut(chunk, at + 1)) {
      const byte = chunk[at];
      if (this.#state === 'members' && byte === OPEN_BRACKET) {
        this.#depth = IN_ITEMS;
        this.#keep(chunk.subarray(start, at));
        start = at;
        if (!ITEMS.test(this.#kept())) continue;
        this.#state = 'items';
        this.#take();
        start = at + 1;
        continue;
      }
      this.#keep(chunk.subarray(start, at));
      start = at + 1;
      const piece = this.#pieceBefore(byte, this.#take());
      if (piece !== undefined) yield piece;
    }
    this.#keep(chunk.subarray(start));
  }

  /** The list has come to its end. @throws AnswerMalformed where it has not */
  end(): void {
    if (this.#state !== 'over' || !isBlank(this.#kept()))
      throw answerMalformed(`${this.#name} is no whole JSON object`);
  }

  /** The piece that ends before a bracket or comma at which is cut; undefined where there is none. */
  #pieceBefore(byte: number | undefined, text: string): ListPiece | undefined {
    switch (this.#state) {
      case 'before':
        if (byte !== OPEN_BRACE || !isBlank(text)) throw this.#noList();
        this.#state = 'members';
        this.#depth = IN_LIST;
        return undefined;
      case 'members':
        if (byte === CLOSE_BRACKET) throw this.#noList();
        if (byte === CLOSE_BRACE) {
          this.#state = 'over';
          this.#depth = OUTSIDE;
        }
        // Nothing is left of the items, whose objects have been cut.
        return isBlank(text) ? undefined : { kind: 'member', text };
      case 'items': {
        if (byte === CLOSE_BRACE) throw this.#noList();
        const isThere = this.#isItemDue || byte === COMMA || !isBlank(text);
        this.#isItemDue = byte === COMMA;
        if (byte === CLOSE_BRACKET) {
          this.#state = 'members';
          this.#depth = IN_LIST;
        }
        return isThere ? { kind: 'item', text } : undefined;
      }
      default:
        throw this.#noList();
    }
  }

  #noList(): AnswerMalformed {
    return answerMalformed(`${this.#name} is no list`);
  }

  /** The place of the next bracket or comma to cut at, from `from` on; the length of the chunk where there is none. */
  #nextCut(chunk: Buffer, from: number): number {
    const state = this.#state;
    const level = state === 'items' ? IN_ITEMS : IN_LIST;
    let depth = this.#depth;
    let inString = this.#inString;
    let isEscaped = this.#isEscaped;
    let at = from;
    for (; at < chunk.length; at += 1) {
      const byte = chunk[at];
      if (inString) {
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) isEscaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (byte === COMMA) {
        if (depth === level) break;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        // A list within the list may be its items.
        if (depth === OUTSIDE || (state === 'members' && depth === IN_LIST && byte === OPEN_BRACKET)) break;
        depth += 1;
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (depth <= level) break;
        depth -= 1;
      }
    }
    this.#depth = depth;
    this.#inString = inString;
    this.#isEscaped = isEscaped;
    return at;
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.#length += part.length;
    if (this.#length > MAX_PIECE_BYTES)
      throw new AnswerMalformed(`${this.#name}: an object longer than ${MAX_PIECE_BYTES} bytes`);
  }

  #kept(): string {
    const [first] = this.#parts;
    return this.#parts.length === 1 && first !== undefined
      ? first.toString('utf8')
      : Buffer.concat(this.#parts).toString('utf8');
  }

  #take(): string {
    const text = this.#kept();
    this.#parts = [];
    this.#length = 0;
    return text;
  }
}

function isBlank(text: string): boolean {
  return text.trim() === '';
}
