/** Frames as lines of JSON. */
import type { InjectorFrame, InjectorFrameV1 } from '../../../policy/index.ts';

/** A line in pieces, newline included. Who gets one must not change it. */
export type FrameBytes = readonly Buffer[];

/** Any frame but those with tables. */
export type SmallFrame = Exclude<InjectorFrame, { readonly type: 'snapshot' | 'change' | 'outline' }>;

/** A frame without a table. */
export function smallFrame(frame: SmallFrame | InjectorFrameV1): FrameBytes {
  return [Buffer.from(`${JSON.stringify(frame)}\n`)];
}

/** How long a frame is, bytes. */
export function lengthOf(bytes: FrameBytes): number {
  return bytes.reduce((sum, { length }) => sum + length, 0);
}

/** Heartbeats. Sessions whose tables have the same revision, as most have, are sent the same bytes one after the other. */
export class Heartbeats {
  #revision: number | undefined;
  #bytes: FrameBytes = [];

  of(revision: number): FrameBytes {
    if (this.#revision !== revision) {
      this.#bytes = smallFrame({ type: 'heartbeat', revision });
      this.#revision = revision;
    }
    return this.#bytes;
  }
}
