/** Calls of the API with the user's rights: what has to be read, and what can be done without. */
import type { SluiceError } from '../../common/errors.ts';
import { FORBIDDEN, hasCode } from '../../injector/api/index.ts';
import type { Lister, LiveCluster, MissingRight } from '../input/index.ts';

/** The reader of clusters that all commands have, and the kinds that it reads. */
export interface Reader extends Pick<LiveCluster, 'RESOURCES' | 'rightMissing'> {
  readonly lister: Lister;
}

/** Remembers what could not be read. */
export interface Reading extends Reader {
  /** What one may not read is undefined, and among `unread`. @param right for the sentence, such as `list nodes` */
  optional<T>(what: string, right: string, call: () => Promise<T>): Promise<T | undefined>;
  /** @throws SluiceError `RIGHT_MISSING` */
  required<T>(right: MissingRight, call: Promise<T>): Promise<T>;
  /** The error for a right without which there is nothing to be said. @param instead what the user may ask instead */
  missing(right: MissingRight, instead?: string): SluiceError;
  /** A sentence each. */
  readonly unread: readonly string[];
}

/** @param context of the kubeconfig, for messages */
export function createReading(reader: Reader, context: string): Reading {
  const unread: string[] = [];
  const missing = (right: MissingRight, instead?: string): SluiceError =>
    reader.rightMissing([right], context, instead);
  return {
    ...reader,
    unread,
    missing,
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
        throw hasCode(error, FORBIDDEN) ? missing(right) : error;
      }
    },
  };
}

/** Undefined where one may not read it. */
export async function readable<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (hasCode(error, FORBIDDEN)) return undefined;
    throw error;
  }
}
