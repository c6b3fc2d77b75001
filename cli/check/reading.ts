/** Calls of the API with the user's rights: what has to be read, and what can be done without. */
import type { SluiceError } from '../../common/errors.ts';
import { FORBIDDEN, hasCode } from '../../injector/api/index.ts';
import { liveCluster, type MissingRight } from '../input/index.ts';

/** Remembers what could not be read. */
export interface Reading {
  /** What one may not read is undefined, and among `unread`. @param right for the sentence, such as `list nodes` */
  optional<T>(what: string, right: string, call: () => Promise<T>): Promise<T | undefined>;
  /** @throws SluiceError `RIGHT_MISSING` */
  required<T>(right: MissingRight, call: Promise<T>): Promise<T>;
  /** The error for a right without which there is nothing to be said. */
  rightMissing(right: MissingRight): SluiceError;
  /** A sentence each. */
  readonly unread: readonly string[];
}

/** @param context of the kubeconfig, for messages */
export async function createReading(context: string): Promise<Reading> {
  const { rightMissing } = await liveCluster();
  const unread: string[] = [];
  return {
    unread,
    async optional(what, right, call) {
      try {
        return await call();
      } catch (error) {
        if (!hasCode(error, FORBIDDEN)) throw error;
        unread.push(`${what}: the user of context ${context} may not ${right}`);
        return undefined;
      }
    },
    async required(right, call) {
      try {
        return await call;
      } catch (error) {
        throw hasCode(error, FORBIDDEN) ? rightMissing([right], context) : error;
      }
    },
    rightMissing: (right) => rightMissing([right], context),
  };
}
