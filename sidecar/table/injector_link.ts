/**
 * The sending half of the connection to the injector; `stream.ts` is the receiving half, and opens this one. The sidecar has one
 * link for its whole life, while connections come and go. A part that has something to send needs only the link.
 */
import type { Socket } from 'node:net';
import type { FlowWindow } from '../../flows/index.ts';
import { MAX_MET_AT_ONCE, type SidecarFrame, type WireVersion } from '../../policy/index.ts';
import { FlowSender } from './flow_sender.ts';

/** Sends frames while there is a connection. */
export class InjectorLink {
  #socket: Socket | undefined;
  #answersMeet = false;
  #wire: WireVersion = 1;
  readonly #flows = new FlowSender();
  /** Of another replica that is tried, where it answers `meet`. One that was dropped takes nothing. */
  #tried: Socket | undefined;

  /**
   * From now on frames go to this connection. It may be written to, and the hello has been.
   * @param answersMeet its hello has asked for partial groups. Injectors that do not know of them do not take `meet`
   * @param wire what the injector knows; default: what all know
   */
  open(socket: Socket, answersMeet = false, wire: WireVersion = 1): void {
    this.#socket = socket;
    this.#answersMeet = answersMeet;
    this.#wire = wire;
    this.#tried = undefined;
  }

  /**
   * Another replica is tried, which answers `meet`: it is asked about the same addresses as the present one, so that its first table
   * has the members that were met meanwhile.
   */
  tries(socket: Socket): void {
    this.#tried = socket;
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
    for (const frame of meetFrames(addresses)) {
      if (this.#answersMeet) this.#send(frame);
      if (this.#tried !== undefined) this.#send(frame, this.#tried);
    }
  }

  /**
   * Sends what was counted. Acknowledgements, questions and tables do not wait for it: it leaves in pieces of 16 kB, each when the one
   * before has left this process, so that a frame waits for one piece at most. Tables come the other way.
   * @returns whether it was taken: false without a connection or with an older injector, and while a window or more than 64 kB still
   *   wait to be sent. What was taken and could not be sent after all is counted as lost in the next window
   */
  sendFlows(window: FlowWindow): boolean {
    const socket = this.#socket;
    return socket?.writable === true && this.#wire >= 3 && this.#flows.send(socket, window);
  }

  #send(frame: SidecarFrame, socket = this.#socket): boolean {
    if (!socket?.writable) return false;
    socket.write(`${JSON.stringify(frame)}\n`);
    return true;
  }
}

/** A question about addresses: as many frames as it takes. */
export function* meetFrames(addresses: readonly string[]): Generator<SidecarFrame> {
  for (let at = 0; at < addresses.length; at += MAX_MET_AT_ONCE)
    yield { type: 'meet', addresses: addresses.slice(at, at + MAX_MET_AT_ONCE) };
}
