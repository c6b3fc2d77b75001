/** What the API server says of the last change of an object. */
import type { NamedChange } from '../../flows/index.ts';
import type { ClusterChange } from '../../policy/index.ts';

/** Each is absent where the source does not say it. */
export type ChangeOrigin = Partial<Pick<NamedChange, 'generation' | 'manager' | 'at'>>;

/** By the change itself: no verdict depends on where it comes from. */
export type Origins = ReadonlyMap<ClusterChange, ChangeOrigin>;

/** Nothing is known, as of changes in a directory. */
export const NO_ORIGINS: Origins = new Map();
