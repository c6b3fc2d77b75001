/**
 * The sending half of the connection to the injector; `stream.ts` is the receiving half, and opens this one. The sidecar has one
 * link for its whole life, while connections come and go. A part that has something to send needs only the link.
 */
import type { Socket } from 'node:net';
import type { SidecarFrame } from '../../policy/index.ts';

/** Sends frames while there is a connection. */
export class InjectorLink {
  #socket: Socket | undefined;

  /** From now on frames go to this connection. It may be written to, and the hello has been. */
  open(socket: Socket): void {
    this.#socket = socket;
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

  #send(frame: SidecarFrame): boolean {
    if (!this.#socket?.writable) return false;
    this.#socket.write(`${JSON.stringify(frame)}\n`);
    return true;
  }
}
