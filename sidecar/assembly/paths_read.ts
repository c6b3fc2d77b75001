/** A sidecar that cannot read from the rules which ports are direct does not start. */
import { SluiceError } from '../../common/errors.ts';
import type { Paths } from '../redirect/index.ts';

/**
 * What `read` reads from the rules.
 * @throws SluiceError where they cannot be read, or are others: it says that the sidecar does not start, and why
 */
export async function withPathsRead<T extends Paths | undefined>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (!(cause instanceof SluiceError)) throw cause;
    const problem = 'the sidecar does not start, as it cannot read from the rules which ports are direct';
    throw new SluiceError(cause.code, `${problem}: ${cause.message}`, { cause });
  }
}
