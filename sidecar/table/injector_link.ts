/**
 * The sending half of the connection to the injector; `stream.ts` is the receiving half, and opens this one. The sidecar has one
 * link for its whole life, while connections come and go. A part that has something to send needs only the link.
 */
import type { Socket } from 'node:net';
import { MAX_MET_AT_ONCE, type SidecarFrame } from '../../policy/index.ts';

/** Sends frames while there is a connection. */
export class InjectorLink {
  #socket: Socket | undefined;
  #answersMeet = false;

  /**
   * From now on frames go to this connection. It may be written to, and the hello has been.
   * @param answersMeet its hello has asked for partial groups. Injectors that do not know of them do not take `meet`
   */
  open(socket: Socket, answersMeet = false): void {
    this.#socket = socket;
    this.#answersMeet = answersMeet;
  }

  /** Another connection is being made: until it is open, nothing is sent. */
  close(): void {
    this.#socket = undefined;
  }

  /** Says that all of the sidecar enforces this revision; 0 takes back what was said before. */
  acknowledge(revision: number): void {
    this.#send({ type: 'ack', revision });
  }

  /** Says that a frame was refused, and that `revision` stays in force. */
  refuse(revision: number, code: string, message: string): void {
    this.#send({ type: 'nack', revision, code, message });
  }

  /** Asks which pod has a canonical address. @returns false when there is no connection: nobody will answer */
  identify(address: string): boolean {
    return this.#send({ type: 'identify', address });
  }

  /** Asks which of these canonical addresses are members of partial groups. Nothing is sent without a connection on which they are answered. */
  meet(addresses: readonly string[]): void {
    if (this.#answersMeet) for (const frame of meetFrames(addresses)) this.#send(frame);
  }

  #send(frame: SidecarFrame): boolean {
    if (!this.#socket?.writable) return false;
    this.#socket.write(`${JSON.stringify(frame)}\n`);
    return true;
  }
}

/** A question about addresses: as many frames as it takes. */
export function* meetFrames(addresses: readonly string[]): Generator<SidecarFrame> {
  for (let at = 0; at < addresses.length; at += MAX_MET_AT_ONCE)
    yield { type: 'meet', addresses: addresses.slice(at, at + MAX_MET_AT_ONCE) };
}
