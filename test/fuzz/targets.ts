/** All fuzzers there are. */
import type { FuzzTarget } from './target.ts';
import { framesTarget } from './targets/frames.ts';

/** In the order in which they run. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [framesTarget];
