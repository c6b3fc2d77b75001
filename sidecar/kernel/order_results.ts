/** What comes of orders to the kernel that end things: what has gone meanwhile is no failure. */
import { errnoName } from '../../common/errno.ts';

/** @param result 0 or a negative error number */
export function hasFailed(result = 0): boolean {
  return result !== 0 && errnoName(result) !== 'ENOENT';
}

/** The error number of the first order that has failed, if one has. */
export function firstFailure(results: readonly number[]): number | undefined {
  return results.find(hasFailed);
}
