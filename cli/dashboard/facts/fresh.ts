/** Reads again what has been read some time ago, once for all who ask meanwhile. */

/** A reading that is kept for `ms`. A reading that fails is not kept. */
export function fresh<T>(read: () => Promise<T>, ms: number): () => Promise<T> {
  let kept: Promise<T> | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  return () => {
    if (kept !== undefined && performance.now() - readAt < ms) return kept;
    const reading = read();
    kept = reading;
    readAt = Number.POSITIVE_INFINITY;
    reading.then(
      () => {
        readAt = performance.now();
      },
      () => {
        kept = undefined;
        readAt = Number.NEGATIVE_INFINITY;
      },
    );
    return reading;
  };
}
