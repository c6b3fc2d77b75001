/** Sends windows of counted flows on a connection whose first use is tables and acknowledgements. */
import type { Socket } from 'node:net';
import type { FlowWindow } from '../../flows/index.ts';
import { type FlowPiece, flowPieces } from './flow_pieces.ts';

/** With more than this waiting on a connection no window is taken, bytes: the injector reads slowly, and other frames are more urgent. */
const MAX_WAITING_BYTES = 64 * 1024;

/**
 * One window at a time, in pieces of 16 kB. The next piece is written when the kernel has the one before: a frame that has to leave
 * meanwhile waits for one piece at most, and passes all that follow. Windows that are under way when the connection ends are lost, and
 * counted in the next one.
 */
export class FlowSender {
  #pieces: Generator<FlowPiece, void> | undefined;
  /** Flows and single events of windows that were taken and not sent. */
  #lost = 0;
  #eventsLost = 0;

  /** @returns false: it was not taken, as another window is under way or too much waits on the connection */
  send(socket: Socket, window: FlowWindow): boolean {
    if (this.#pieces !== undefined || socket.writableLength > MAX_WAITING_BYTES) return false;
    const { lost, eventsLost } = window;
    const pieces = flowPieces({
      ...window,
      lost: lost + this.#lost,
      eventsLost: eventsLost + this.#eventsLost,
    });
    [this.#lost, this.#eventsLost] = [0, 0];
    this.#pieces = pieces;
    this.#next(socket, pieces);
    return true;
  }

  #next(socket: Socket, pieces: Generator<FlowPiece, void>): void {
    const { value: piece } = pieces.next();
    if (piece === undefined) {
      this.#pieces = undefined;
      return;
    }
    socket.write(piece.line, (error) => {
      if (error == null) return this.#next(socket, pieces);
      this.#lose(piece);
      for (const later of pieces) this.#lose(later);
      this.#pieces = undefined;
    });
  }

  #lose({ sum, events }: FlowPiece): void {
    this.#lost += sum;
    this.#eventsLost += events;
  }
}
