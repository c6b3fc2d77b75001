/** A running injector: parts that start one after another and stop in reverse order. */

/** A running injector. */
export interface Injector {
  /** Ends all connections, removes the socket files, stops watching. Sidecars keep their last table. */
  close(): Promise<void>;
}

/** A part that runs. */
export interface Part {
  close(): unknown;
}

/**
 * Starts an injector. Where a part cannot start, the parts before it are stopped.
 * @param start puts each part into `running` once it has started
 * @throws what `start` does
 */
export async function startInOrder(start: (running: Part[]) => Promise<void>): Promise<Injector> {
  const running: Part[] = [];
  const close = async (): Promise<void> => {
    for (const part of running.splice(0).reverse()) await part.close();
  };
  try {
    await start(running);
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}
